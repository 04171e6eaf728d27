import type { DispatcherEffect, DispatcherInput, StepResult } from "@genai/dispatcher";
import type { Ledger } from "../ledger.ts";

/** Sums in another order may differ in the last digits. */
const ROUNDING_MS = 1e-3;

/** What an answer of a provider must do, said before it is fed. */
export type Expectation =
  /** It is of an open attempt, by its provider: it counts. */
  | {
      readonly type: "counts";
      readonly taskId: string;
      readonly attempt: number;
      readonly state: "succeeded" | "failed";
    }
  /** It may free a slot, but no attempt and no task changes. */
  | { readonly type: "changesNothing"; readonly taskId: string; readonly attempt: number }
  | null;

/** What this input must do by what is known before it. */
export function expectationOf(ledger: Ledger, input: DispatcherInput): Expectation {
  if (input.type !== "completed" && input.type !== "failed") return null;
  const { taskId, attempt, providerId } = input;
  if (ledger.openAttempt(input)?.providerId !== providerId) return { type: "changesNothing", taskId, attempt };
  return { type: "counts", taskId, attempt, state: input.type === "completed" ? "succeeded" : "failed" };
}

/** What is wrong with what became of an answer, or null. */
export function wrongResult(expected: Expectation, result: StepResult): string | null {
  if (expected === null) return null;
  const { taskId, attempt } = expected;
  const effects = result.ok ? result.effects : [];
  const changed = effects.find(
    (effect) => effect.type === "attemptChanged" && effect.taskId === taskId && effect.attempt === attempt,
  );
  const closedAs = changed?.type === "attemptChanged" && !changed.open ? changed.state : null;
  if (expected.type === "counts") {
    return closedAs === expected.state
      ? null
      : `the answer of attempt ${attempt} of task ${taskId}, which is open, did not count`;
  }
  if (closedAs === "succeeded" || closedAs === "failed") {
    return `an answer to attempt ${attempt} of task ${taskId} by one who does not have it counted`;
  }
  return null;
}

/** What is wrong with a settlement that is about to be noted, or null. */
export function wrongSettlement(
  ledger: Ledger,
  input: DispatcherInput,
  effect: Extract<DispatcherEffect, { type: "settled" }>,
  limits: { readonly lossesMax: number },
): string | null {
  const { taskId, settlement } = effect;
  const entry = ledger.tasks.get(taskId);
  if (ledger.settled.has(taskId)) return `task ${taskId} was settled twice`;
  if (entry === undefined) return `task ${taskId} was settled, and nobody submitted it`;
  const isByThisInput = "taskId" in input && input.taskId === taskId;
  switch (settlement.state) {
    case "succeeded":
      return isByThisInput && input.type === "completed" && input.attempt === settlement.attempt
        ? null
        : `task ${taskId} succeeded without a result`;
    case "canceled":
      return isByThisInput && input.type === "cancel" ? null : `task ${taskId} was canceled by nobody`;
    case "failed":
      break;
  }
  switch (settlement.code) {
    case "task_failed":
      return isByThisInput && input.type === "failed" && input.fault === "task"
        ? null
        : `task ${taskId} failed by its own fault, which nobody reported`;
    case "attempts_exhausted":
      return entry.faults >= entry.task.maxAttempts
        ? null
        : `task ${taskId} was given up after ${entry.faults} of ${entry.task.maxAttempts} faults`;
    case "nodes_lost":
      return entry.losses >= limits.lossesMax
        ? null
        : `task ${taskId} was given up after ${entry.losses} of ${limits.lossesMax} losses`;
    case "deadline_exceeded": {
      const { expiresInMs, ageMs } = entry.task;
      const expiresAtMs = expiresInMs === null ? Infinity : entry.submittedAtMs + ageMs + expiresInMs;
      return expiresAtMs <= ledger.nowMs + ROUNDING_MS ? null : `task ${taskId} expired before its deadline`;
    }
  }
}

/** What is wrong with the budgets that a requeue tells of, or null. */
export function wrongRequeue(
  ledger: Ledger,
  effect: Extract<DispatcherEffect, { type: "requeued" }>,
  limits: { readonly lossesMax: number },
): string | null {
  const entry = ledger.tasks.get(effect.taskId);
  if (entry === undefined || entry.over) return `task ${effect.taskId} waits again though it is over`;
  const { faults, losses, task } = entry;
  if (effect.faults !== faults || effect.losses !== losses) {
    return `task ${task.taskId} waits again with ${effect.faults} faults and ${effect.losses} losses; it has ${faults} and ${losses}`;
  }
  if (faults >= task.maxAttempts || losses >= limits.lossesMax) return `task ${task.taskId} waits with a spent budget`;
  return null;
}
