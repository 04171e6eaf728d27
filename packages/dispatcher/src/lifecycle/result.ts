import type { Core } from "../core.ts";
import type { DispatcherEffect, Refusal } from "../effect.ts";
import type { AttemptRef, DispatcherInput } from "../input.ts";
import { normalizeModel } from "../normalize-model.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import { changeOpenState, closeAttempt, elapsedMs, freeSlot, refOf } from "./attempt.ts";
import { countFault, countSuccess } from "./breaker.ts";
import { resume } from "./provider.ts";
import { chargeFault, reconsider, settle, skipProvider } from "./task.ts";

type Named = AttemptRef & { readonly providerId: string };
type Input<Type extends DispatcherInput["type"]> = Extract<DispatcherInput, { type: Type }>;

/** Finds the attempt that an input of a provider is about. Closed ones are found while they sit on their slot. */
function attemptOf(core: Core, ref: Named): AttemptRecord | Refusal {
  const task = core.tasks.get(ref.taskId);
  const open = task?.open.find((attempt) => attempt.attempt === ref.attempt);
  if (open !== undefined && (open.provider.providerId === ref.providerId || core.planted.has("holderUnchecked")))
    return open;
  const provider = core.providers.get(ref.providerId);
  for (const attempt of provider?.attempts ?? []) {
    if (attempt.attempt === ref.attempt && attempt.task.taskId === ref.taskId) return attempt;
  }
  if (task === undefined) {
    return { code: "unknown_task", field: "taskId", message: `There is no unsettled task ${ref.taskId}.` };
  }
  return {
    code: "unknown_attempt",
    field: "attempt",
    message: `Attempt ${ref.attempt} of task ${ref.taskId} is not open at provider ${ref.providerId}.`,
  };
}

/** `sent`, `accepted` and `progressed`: the attempt moves on. A closed one changes nothing. */
export function advance(core: Core, input: Input<"sent" | "accepted" | "progressed">): Refusal | null {
  const attempt = attemptOf(core, input);
  if ("code" in attempt) return attempt;
  if (!attempt.open) return null;
  if (attempt.state === "lost") {
    // A `sent` that comes after the connection broke says nothing of the provider.
    if (input.type !== "sent" && attempt.provider.online) resume(core, attempt);
    return null;
  }
  if (input.type === "sent" && attempt.state === "assigned") {
    attempt.startedAtMs = core.nowMs;
    changeOpenState(core, attempt, "sent");
    core.placement.providerChanged(attempt.provider);
  }
  if (input.type === "accepted" && (attempt.state === "assigned" || attempt.state === "sent")) {
    changeOpenState(core, attempt, "accepted");
  }
  if (input.type === "progressed") {
    attempt.progress = Math.max(attempt.progress, input.value);
    changeOpenState(core, attempt, "running");
  }
  return null;
}

/** A good result. The first one of an open attempt wins; any later one changes nothing but its slot. */
export function complete(core: Core, input: Input<"completed">): Refusal | null {
  const attempt = attemptOf(core, input);
  if ("code" in attempt) return staleOrRefused(core, input, attempt);
  if (!attempt.open && !(core.planted.has("closedResultAccepted") && core.tasks.has(input.taskId))) {
    return lateAnswer(core, attempt);
  }
  const { task, provider } = attempt;
  const gpuMs = input.gpuMs ?? elapsedMs(core, attempt);
  if (attempt.state !== "lost") core.placement.learn(attempt, gpuMs, input.loadMs ?? null);
  if (input.warmModel !== null) provider.warmModel = normalizeModel(input.warmModel);
  closeAttempt(core, attempt, "succeeded", gpuMs);
  for (const suspect of task.trouble?.suspects ?? []) {
    const suspected = core.providers.get(suspect);
    if (suspected !== undefined && suspected !== provider) countFault(core, suspected);
  }
  countSuccess(core, provider);
  settle(core, task, { state: "succeeded", attempt: attempt.attempt });
  pushVerdict(core, attempt, "accepted");
  return null;
}

/** An error. The task's own is final; a provider's is retried elsewhere. */
export function fail(core: Core, input: Input<"failed">): Refusal | null {
  const attempt = attemptOf(core, input);
  if ("code" in attempt) return staleOrRefused(core, input, attempt);
  if (!attempt.open) return lateAnswer(core, attempt);
  const { task, provider } = attempt;
  closeAttempt(core, attempt, "failed", elapsedMs(core, attempt));
  if (input.fault === "task") {
    settle(core, task, { state: "failed", code: "task_failed", attempt: attempt.attempt });
  } else {
    chargeFault(core, attempt);
    if (input.fault === "node") countFault(core, provider);
    else task.trouble?.suspects.add(provider.providerId);
    reconsider(core, task, "fault");
  }
  pushVerdict(core, attempt, "accepted");
  return null;
}

/** Handed back without a fault. */
export function reject(core: Core, input: Input<"rejected">): Refusal | null {
  const attempt = attemptOf(core, input);
  if ("code" in attempt) return attempt;
  if (!attempt.open) {
    freeSlot(core, attempt);
    return null;
  }
  closeAttempt(core, attempt, "rejected", 0);
  skipProvider(core, attempt.task, input.providerId);
  reconsider(core, attempt.task, "rejected");
  return null;
}

/** The limit passed. An attempt that is still open counts as its provider's fault; a legacy provider, deaf to aborts, is cut off. */
export function passLimit(core: Core, attempt: AttemptRecord): void {
  const { task, provider } = attempt;
  const wasOpen = attempt.open;
  if (wasOpen) {
    if (provider.online) core.effects.push({ type: "abort", ...refOf(attempt), reason: "limit" });
    const gpuMs = attempt.state === "lost" ? 0 : elapsedMs(core, attempt);
    closeAttempt(core, attempt, "aborted", gpuMs);
    chargeFault(core, attempt);
    countFault(core, provider);
  }
  if (!provider.online) freeSlot(core, attempt);
  else if (provider.legacy) {
    freeSlot(core, attempt);
    core.effects.push({ type: "disconnect", providerId: provider.providerId, reason: "limit" });
  } else {
    core.timers.set(attempt.releaseTimer, core.nowMs + core.options.abortSettleMs);
    core.placement.providerChanged(provider);
  }
  if (wasOpen) reconsider(core, task, "fault");
}

/** An answer for an attempt that is closed but sat on its slot until now. */
function lateAnswer(core: Core, attempt: AttemptRecord): null {
  freeSlot(core, attempt);
  pushVerdict(core, attempt, core.tasks.has(attempt.task.taskId) ? "stale" : attempt.lateVerdict);
  return null;
}

/** An answer for an attempt of a waiting or running task that was closed before is stale; what never was is refused. */
function staleOrRefused(core: Core, ref: Named, refusal: Refusal): Refusal | null {
  const task = core.tasks.get(ref.taskId);
  const wasHere = task !== undefined && ref.attempt >= 1 && ref.attempt <= task.lastAttempt;
  const provider = core.providers.get(ref.providerId);
  if (!wasHere || task.open.some((attempt) => attempt.attempt === ref.attempt)) return refusal;
  if (provider === undefined || provider.legacy) return refusal;
  core.effects.push({ type: "verdict", ...pick(ref), verdict: "stale" });
  return null;
}

function pick({ taskId, attempt, providerId }: Named): Named {
  return { taskId, attempt, providerId };
}

function pushVerdict(
  core: Core,
  attempt: AttemptRecord,
  verdict: Extract<DispatcherEffect, { type: "verdict" }>["verdict"],
): void {
  if (!attempt.provider.legacy) core.effects.push({ type: "verdict", ...refOf(attempt), verdict });
}
