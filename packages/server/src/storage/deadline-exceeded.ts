import type { StoreChange } from "../tasks/task-store.ts";

/** How a task ends whose deadline passed while it waited in nobody's window. */
export function deadlineExceeded(taskId: string, atMs: number): StoreChange {
  const error = { code: "deadline_exceeded", message: "No node took the task before its deadline." };
  return { type: "taskSettled", taskId, state: "failed", attempt: null, artifacts: [], error, atMs };
}
