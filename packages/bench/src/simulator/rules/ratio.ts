import type { Task } from "@genai/dispatcher";

/** What a second is worth to a task, in credits: its ratio, up to the greatest that counts. */
export function ratioOf(task: Task): number {
  return Math.min(task.timeToMoneyRatio, 1e9);
}
