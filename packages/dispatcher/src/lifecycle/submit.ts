import type { Core } from "../core.ts";
import type { Refusal } from "../effect.ts";
import { AttemptRecord } from "../state/attempt-record.ts";
import { TaskRecord } from "../state/task-record.ts";
import { taskTimer } from "../state/timer.ts";
import type { Task, TaskHistory } from "../task.ts";
import { enterAttempt } from "./attempt.ts";
import { providerOf } from "./provider.ts";
import { troubleOf } from "./task.ts";
import { changeTaskState, makeRoomForUser, retryAfterMs, tooManyUsers, userGainsTask, userOf } from "./user.ts";

/** Takes a task in: a new one, or one that an earlier process knew, with its open attempts. */
export function submit(core: Core, task: Task): Refusal | null {
  if (core.tasks.has(task.taskId)) {
    return { code: "duplicate_task", field: "task.taskId", message: `Task ${task.taskId} is here already.` };
  }
  const known = core.users.get(task.userId);
  // A task with a history was accepted before; no cap may refuse it now.
  if (task.history === undefined && known !== undefined && known.queued >= known.limits.queuedMax) {
    return {
      code: "queue_full",
      field: "task.userId",
      message: `User ${task.userId} has ${known.queued} tasks waiting, which is its most.`,
      retryAfterMs: retryAfterMs(known),
    };
  }
  const { tasksMax } = core.options;
  if (core.tasks.size >= tasksMax) {
    return { code: "limit_reached", field: "task", message: `There are ${tasksMax} tasks here, which is the most.` };
  }
  if (known === undefined && !makeRoomForUser(core)) return { ...tooManyUsers(core), field: "task.userId" };

  const user = userOf(core, task.userId);
  const taskClass = core.placement.classOf(task);
  const profile = core.estimates.profileOf(taskClass.model, task.work.signature);
  const record = new TaskRecord(task, user, taskClass, profile, ++core.sequence, core.nowMs);
  core.tasks.set(task.taskId, record);
  userGainsTask(core, user);
  if (task.expiresInMs !== null) {
    record.expiryTimer = taskTimer("taskExpires", record);
    core.timers.set(record.expiryTimer, core.nowMs + task.expiresInMs);
  }
  record.state = "adrift";
  if (task.history !== undefined) restore(core, record, task.history);
  if (record.open.length > 0) return null;
  const readyInMs = task.history?.retryInMs ?? 0;
  if (readyInMs > 0) {
    const trouble = troubleOf(record);
    trouble.readyAtMs = core.nowMs + readyInMs;
    core.timers.set(trouble.readyTimer, trouble.readyAtMs);
  }
  changeTaskState(core, record, readyInMs > 0 ? "backingOff" : "waiting");
  return null;
}

/** Brings back what an earlier process knew. Open attempts count as lost until their provider lists them or their lease ends. */
function restore(core: Core, record: TaskRecord, history: TaskHistory): void {
  record.lastAttempt = history.lastAttempt;
  record.handedBack = history.handedBack;
  if (history.faults > 0 || history.losses > 0 || history.failedProviderIds.length > 0) {
    const trouble = troubleOf(record);
    trouble.faults = history.faults;
    trouble.losses = history.losses;
    for (const providerId of history.failedProviderIds) trouble.failed.add(providerId);
  }
  for (const open of history.open) {
    const provider = providerOf(core, open.providerId);
    const attempt = new AttemptRecord(record, provider, open.attempt, open.cost, core.nowMs);
    attempt.state = "lost";
    attempt.expectedMs = Math.ceil(core.placement.optionAt(record, provider)?.runMs ?? 0);
    enterAttempt(core, attempt, open.limitLeftMs);
  }
}
