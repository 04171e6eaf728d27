import { setImmediate } from "node:timers/promises";
import type { StoredTask, TaskState } from "../tasks/stored-task.ts";
import type { TaskListFilter, TaskPage } from "../tasks/task-store.ts";
import { matchesFilter } from "./task-filter.ts";

/** Rows read at once; in between others get their turn. */
const BATCH_ROWS = 200;

/** Rows that one page looks at, of the states asked for. A page whose filter matches few of them ends early, with a cursor to go on from. */
const PAGE_ROWS_MAX = 20_000;

/** Above every id: where a list without a cursor begins. */
const NEWEST = "~";

/** Reads up to so many of a user's tasks with ids below the one given, newest first, in these states or in all (`null`). */
export type TasksBefore = (
  states: readonly TaskState[] | null,
  beforeTaskId: string,
  limit: number,
) => Promise<readonly StoredTask[]>;

/** A page of a user's tasks, newest first. The store looks for states by its index; what else is asked for is looked for here. */
export async function pageOfTasks(
  tasksBefore: TasksBefore,
  filter: TaskListFilter,
  limit: number,
  cursor: string | null,
): Promise<TaskPage> {
  const states = filter.states === undefined ? null : [...new Set(filter.states)].sort();
  if (states?.length === 0) return { tasks: [], next: null };
  // Where every row is one of the page, no more of them are read than it shows, and one that says that there are more.
  const everyRow = Object.keys(filter).every((name) => name === "states");
  const batchRows = everyRow ? limit + 1 : BATCH_ROWS;
  const tasks: StoredTask[] = [];
  let before = cursor ?? NEWEST;
  for (let seen = 0; seen < PAGE_ROWS_MAX; ) {
    const batch = await tasksBefore(states, before, batchRows);
    for (const task of batch) {
      if (!matchesFilter(task, filter)) continue;
      if (tasks.length === limit) return { tasks, next: tasks.at(-1)?.taskId ?? null };
      tasks.push(task);
    }
    const last = batch.at(-1);
    if (!last || batch.length < batchRows) return { tasks, next: null };
    before = last.taskId;
    seen += batch.length;
    await setImmediate();
  }
  return { tasks, next: before };
}
