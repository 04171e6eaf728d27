import { normalizeModel } from "@genai/dispatcher";
import type { StoredTask } from "../tasks/stored-task.ts";
import type { TaskListFilter } from "../tasks/task-store.ts";

/** Whether a task belongs on a list. One function for all adapters, so that none compares in its own way. */
export function matchesFilter(task: StoredTask, filter: TaskListFilter): boolean {
  if (filter.states && !filter.states.includes(task.state)) return false;
  if (filter.createdAfterMs !== undefined && task.createdAtMs <= filter.createdAfterMs) return false;
  if (filter.createdBeforeMs !== undefined && task.createdAtMs >= filter.createdBeforeMs) return false;
  if (filter.model !== undefined && !asksForModel(task, filter.model)) return false;
  if (filter.metadata && !carries(task.metadata, filter.metadata)) return false;
  return true;
}

function asksForModel(task: StoredTask, model: string): boolean {
  const wanted = normalizeModel(model);
  return task.requirements.models.some((asked) => normalizeModel(asked) === wanted);
}

function carries(metadata: string | null, pair: { readonly key: string; readonly value: string }): boolean {
  if (metadata === null) return false;
  const held: unknown = JSON.parse(metadata);
  if (typeof held !== "object" || held === null || !Object.hasOwn(held, pair.key)) return false;
  const value = (held as Record<string, unknown>)[pair.key];
  return (typeof value === "string" ? value : JSON.stringify(value)) === pair.value;
}
