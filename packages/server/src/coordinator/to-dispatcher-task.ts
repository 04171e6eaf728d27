import type { Task } from "@genai/dispatcher";
import type { NewTask } from "../tasks/stored-task.ts";

/** What the dispatcher has to know of a stored task. Wall-clock instants become durations, since the dispatcher's clock is another.
 *  A task that came from the future (the clock was set back) counts as new. */
export function toDispatcherTask(stored: Omit<NewTask, "pipeline">, wallMs: number, taskTtlMs: number): Task {
  const deadlineAtMs = stored.deadlineAtMs ?? stored.createdAtMs + taskTtlMs;
  return {
    taskId: stored.taskId,
    userId: stored.userId,
    priority: stored.priority,
    maxCost: stored.maxCost,
    timeToMoneyRatio: stored.timeToMoneyRatio,
    requirements: stored.requirements,
    work: stored.work,
    limitMs: stored.limitMs,
    ageMs: Math.max(0, wallMs - stored.createdAtMs),
    expiresInMs: Math.max(0, deadlineAtMs - wallMs),
    maxAttempts: stored.maxAttempts,
  };
}
