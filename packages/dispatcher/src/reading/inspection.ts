import type { Core } from "../core.ts";
import type { AttemptState } from "../effect.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import type { TaskRecord } from "../state/task-record.ts";
import { explainProviders, frugalHold } from "./explanation.ts";
import { snapshotProvider } from "./provider-snapshot.ts";
import type { ProviderSnapshot } from "./snapshots.ts";

/** The whole state as plain JSON, for tests, traces and post-mortems. Instants are on the clock of `step`. Costs as much as there is. */
export interface Inspection {
  readonly nowMs: number;
  readonly amnestyUntilMs: number;
  /** Where newcomers begin. */
  readonly startTagMax: number;
  readonly tasks: readonly InspectedTask[];
  readonly attempts: readonly InspectedAttempt[];
  readonly providers: readonly ProviderSnapshot[];
  readonly holds: readonly InspectedHold[];
  readonly users: readonly {
    readonly userId: string;
    readonly tag: number;
    readonly weight: number;
    readonly userClass: number;
    readonly runningMax: number | null;
    readonly tasks: number;
    readonly running: number;
    readonly queued: number;
  }[];
}

export interface InspectedTask {
  readonly taskId: string;
  readonly userId: string;
  readonly state: TaskRecord["state"];
  readonly classKey: string;
  readonly priority: number;
  readonly maxCost: number;
  readonly ratio: number;
  readonly submittedAtMs: number;
  readonly handedBack: boolean;
  readonly lastAttempt: number;
  readonly faults: number;
  readonly losses: number;
  readonly failedProviderIds: readonly string[];
  readonly skippedProviderIds: readonly string[];
  /** Numbers of its open attempts. */
  readonly open: readonly number[];
  /** For how long it has been held in all, the present hold included. */
  readonly heldMs: number;
}

/** An attempt that is open, or closed but still on its slot. */
export interface InspectedAttempt {
  readonly taskId: string;
  readonly attempt: number;
  readonly providerId: string;
  readonly state: AttemptState;
  readonly open: boolean;
  readonly startedAtMs: number;
  readonly expectedMs: number;
  readonly chargedMs: number;
  /** Null where no such time is set. */
  readonly leaseEndsAtMs: number | null;
  readonly limitAtMs: number | null;
}

/** A task that waits for a busy provider although another is free. */
export interface InspectedHold {
  readonly taskId: string;
  /** Whom it waits for. */
  readonly providerId: string;
  /** A free one that it declined. */
  readonly overProviderId: string;
  /** Null for a task at ratio 0, which is held with its class: without a start and without an end. */
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

export function inspect(core: Core): Inspection {
  const tasks = [...core.tasks.values()];
  const providers = [...core.providers.values()];
  return {
    nowMs: core.nowMs,
    amnestyUntilMs: core.amnestyUntilMs,
    startTagMax: core.startTagMax,
    tasks: tasks.map((task) => inspectTask(core, task)),
    attempts: providers.flatMap((provider) => [...provider.attempts].map(inspectAttempt)),
    providers: providers.map((provider) => snapshotProvider(core, provider)),
    holds: tasks.flatMap((task) => inspectHold(core, task)),
    users: [...core.users.values()].map(({ userId, tag, limits, tasks, running, queued }) => {
      const { weight, userClass, runningMax } = limits;
      return { userId, tag, weight, userClass, runningMax, tasks, running, queued };
    }),
  };
}

function inspectTask(core: Core, task: TaskRecord): InspectedTask {
  const { taskId, state, priority, maxCost, ratio, submittedAtMs, handedBack, lastAttempt, trouble, hold } = task;
  return {
    taskId,
    userId: task.user.userId,
    state,
    classKey: task.class.requirementKey,
    priority,
    maxCost,
    ratio,
    submittedAtMs,
    handedBack,
    lastAttempt,
    faults: trouble?.faults ?? 0,
    losses: trouble?.losses ?? 0,
    failedProviderIds: [...(trouble?.failed ?? [])],
    skippedProviderIds: [...(trouble?.skipped.keys() ?? [])],
    open: task.open.map((attempt) => attempt.attempt),
    heldMs: task.heldMs + (hold === null ? 0 : core.nowMs - hold.sinceMs),
  };
}

function inspectAttempt(record: AttemptRecord): InspectedAttempt {
  const { task, attempt, provider, state, open, startedAtMs, expectedMs, chargedMs, leaseTimer, limitTimer } = record;
  return {
    taskId: task.taskId,
    attempt,
    providerId: provider.providerId,
    state,
    open,
    startedAtMs,
    expectedMs,
    chargedMs,
    leaseEndsAtMs: leaseTimer.atMs === Infinity ? null : leaseTimer.atMs,
    limitAtMs: limitTimer.atMs === Infinity ? null : limitTimer.atMs,
  };
}

function inspectHold(core: Core, task: TaskRecord): InspectedHold[] {
  const { taskId, hold } = task;
  if (hold !== null) {
    const { provider, over, sinceMs, untilMs } = hold;
    return [{ taskId, providerId: provider.providerId, overProviderId: over.providerId, sinceMs, untilMs }];
  }
  if (!task.class.frugal || task.state !== "waiting") return [];
  const frugal = frugalHold(core, task, explainProviders(core, task));
  if (frugal === null || frugal.over === null) return [];
  return [{ taskId, providerId: frugal.providerId, overProviderId: frugal.over, sinceMs: null, untilMs: null }];
}
