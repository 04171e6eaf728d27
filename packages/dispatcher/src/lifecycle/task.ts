import type { Core } from "../core.ts";
import type { AbortReason, DispatcherEffect, Settlement } from "../effect.ts";
import { hashFraction } from "../hash.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import type { TaskRecord, Trouble } from "../state/task-record.ts";
import { taskTimer } from "../state/timer.ts";
import { abortAttempt } from "./attempt.ts";
import { changeRunning, changeTaskState, isQueued, userLosesTask } from "./user.ts";

type RequeueReason = Extract<DispatcherEffect, { type: "requeued" }>["reason"];

/** What went wrong with a task so far, to be written into. */
export function troubleOf(task: TaskRecord): Trouble {
  task.trouble ??= {
    faults: 0,
    losses: 0,
    failedAttempt: null,
    failed: new Set(),
    skipped: new Map(),
    suspects: new Set(),
    readyAtMs: 0,
    readyTimer: taskTimer("taskReady", task),
    skipTimer: taskTimer("skipEnds", task),
  };
  return task.trouble;
}

/** Decides, after an attempt of it ended or had its grace, whether the task is over, at work, or waits again. */
export function reconsider(core: Core, task: TaskRecord, reason: RequeueReason): void {
  const spent = budgetSpent(core, task);
  if (task.open.some((attempt) => attempt.live)) {
    changeTaskState(core, task, "running");
  } else if (task.open.length === 0 && spent !== null) {
    settle(core, task, spent);
  } else if (spent !== null || task.open.length >= 2 || task.open.some((attempt) => !attempt.graceOver)) {
    changeTaskState(core, task, "adrift");
  } else if (!isQueued(task.state) || reason !== "lost") {
    // One that waits already for a lost attempt, which now failed after all, has a provider more to avoid and a backoff.
    requeue(core, task, reason);
  }
}

/** The task waits again, at the head of its user's queue. */
function requeue(core: Core, task: TaskRecord, reason: RequeueReason): void {
  const { trouble } = task;
  const leftMs = Math.max(0, (trouble?.readyAtMs ?? 0) - core.nowMs);
  // The clock has fractions, and what the caller stores has none: so long it is, here too.
  const retryInMs = core.planted.has("fractionTold") ? leftMs : Math.ceil(leftMs);
  task.handedBack = true;
  core.placement.excludedChanged(task);
  if (trouble !== null && retryInMs > 0) {
    trouble.readyAtMs = core.nowMs + retryInMs;
    core.timers.set(trouble.readyTimer, trouble.readyAtMs);
  }
  changeTaskState(core, task, retryInMs > 0 ? "backingOff" : "waiting");
  core.effects.push({
    type: "requeued",
    taskId: task.taskId,
    reason,
    faults: trouble?.faults ?? 0,
    losses: trouble?.losses ?? 0,
    failedProviderIds: trouble === null ? [] : [...trouble.failed],
    retryInMs,
  });
}

/** How the task ends because a budget is used up, or null while both have something left. */
function budgetSpent(core: Core, task: TaskRecord): Settlement | null {
  const { trouble } = task;
  if (trouble === null) return null;
  if (trouble.faults >= task.maxAttempts) {
    return { state: "failed", code: "attempts_exhausted", attempt: trouble.failedAttempt };
  }
  if (trouble.losses >= core.options.lossesMax) {
    return { state: "failed", code: "nodes_lost", attempt: trouble.failedAttempt };
  }
  return null;
}

/** Ends a task: final. Whatever is still open is aborted, and the core forgets the task. */
export function settle(core: Core, task: TaskRecord, settlement: Settlement): void {
  core.effects.push({ type: "settled", taskId: task.taskId, settlement });
  const [reason, lateVerdict] = ABORT_OF[settlement.state === "failed" ? settlement.code : settlement.state];
  remove(core, task, reason, lateVerdict);
}

/** Why the attempts that are still open stop when a task ends so, and what a result of theirs is told later. */
const ABORT_OF = {
  succeeded: ["superseded", "stale"],
  canceled: ["canceled", "canceled"],
  task_failed: ["superseded", "stale"],
  attempts_exhausted: ["superseded", "stale"],
  nodes_lost: ["superseded", "stale"],
  deadline_exceeded: ["deadline", "stale"],
} as const satisfies Record<string, readonly [AbortReason, AttemptRecord["lateVerdict"]]>;

/** Takes a task out of the core and aborts what is open of it. */
export function remove(
  core: Core,
  task: TaskRecord,
  reason: AbortReason,
  lateVerdict: AttemptRecord["lateVerdict"],
): void {
  for (const attempt of task.open) {
    if (reason === "superseded" && core.planted.has("loserNotAborted")) continue;
    attempt.lateVerdict = lateVerdict;
    abortAttempt(core, attempt, reason);
  }
  if (isQueued(task.state)) task.user.queued -= 1;
  if (task.state === "waiting") core.placement.taskLeaves(task);
  if (task.state === "running") changeRunning(core, task.user, -1);
  core.timers.clear(task.expiryTimer);
  core.timers.clear(task.trouble?.readyTimer ?? null);
  core.timers.clear(task.trouble?.skipTimer ?? null);
  core.tasks.delete(task.taskId);
  userLosesTask(core, task.user);
}

/** A provider's fault: the task backs off with full jitter, and this provider is not tried again while others have not been. */
export function chargeFault(core: Core, attempt: AttemptRecord): void {
  const { task } = attempt;
  const trouble = troubleOf(task);
  trouble.faults += 1;
  trouble.failedAttempt = attempt.attempt;
  trouble.failed.add(attempt.provider.providerId);
  const { backoffBaseMs, backoffCapMs } = core.options;
  const ceilingMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** (trouble.faults - 1));
  trouble.readyAtMs = core.nowMs + Math.floor(hashFraction(`${task.taskId}#${attempt.attempt}`) * ceilingMs);
}

/** A loss: no backoff, no blame, a budget of its own. */
export function chargeLoss(core: Core, task: TaskRecord): void {
  if (!core.planted.has("lossesUncounted")) troubleOf(task).losses += 1;
}

/** A reject: no budget, but this provider is skipped for this task for a while. */
export function skipProvider(core: Core, task: TaskRecord, providerId: string): void {
  if (core.options.rejectSkipMs === 0) return;
  const trouble = troubleOf(task);
  trouble.skipped.set(providerId, core.nowMs + core.options.rejectSkipMs);
  if (trouble.skipTimer.atMs === Infinity) core.timers.set(trouble.skipTimer, core.nowMs + core.options.rejectSkipMs);
}

/** Ends the skips whose time is over. */
export function endSkips(core: Core, task: TaskRecord): void {
  const { trouble } = task;
  if (trouble === null) return;
  let nextAtMs = Infinity;
  for (const [providerId, untilMs] of trouble.skipped) {
    if (untilMs <= core.nowMs) trouble.skipped.delete(providerId);
    else nextAtMs = Math.min(nextAtMs, untilMs);
  }
  if (nextAtMs < Infinity) core.timers.set(trouble.skipTimer, nextAtMs);
  if (task.state === "waiting") core.placement.excludedChanged(task);
}
