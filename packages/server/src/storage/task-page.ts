import { setImmediate } from "node:timers/promises";
import type { StoredTask } from "../tasks/stored-task.ts";
import type { TaskListFilter, TaskPage } from "../tasks/task-store.ts";
import { matchesFilter } from "./task-filter.ts";

/** Rows read at once; in between others get their turn. */
const BATCH_ROWS = 200;

/** Rows that one page looks at. A page whose filter matches few of them ends early, with a cursor to go on from. */
const PAGE_ROWS_MAX = 20_000;

/** Above every id: where a list without a cursor begins. */
const NEWEST = "~";

/** A page of a user's tasks, newest first. `tasksBefore` reads up to so many tasks with ids below the one given. */
export async function pageOfTasks(
  tasksBefore: (beforeTaskId: string, limit: number) => Promise<readonly StoredTask[]>,
  filter: TaskListFilter,
  limit: number,
  cursor: string | null,
): Promise<TaskPage> {
  const tasks: StoredTask[] = [];
  let before = cursor ?? NEWEST;
  for (let seen = 0; seen < PAGE_ROWS_MAX; ) {
    const batch = await tasksBefore(before, BATCH_ROWS);
    for (const task of batch) {
      if (!matchesFilter(task, filter)) continue;
      if (tasks.length === limit) return { tasks, next: tasks.at(-1)?.taskId ?? null };
      tasks.push(task);
    }
    const last = batch.at(-1);
    if (!last || batch.length < BATCH_ROWS) return { tasks, next: null };
    before = last.taskId;
    seen += batch.length;
    await setImmediate();
  }
  return { tasks, next: before };
}
