import type { Entry, PendingChange } from "./pending-change.ts";

/** Submissions that are given up, by their tasks. `under way`: it will be heard whether it is stored. `unknown`: it will not. */
export type GivenUp = Map<string, { readonly submission: PendingChange; readonly fate: Fate }>;

type Fate = "not stored" | "under way" | "unknown";

/** The entries without the submissions among them, or without `only` one; they are added to `givenUp`, and everything else of their
 *  tasks goes with them. */
export function withoutSubmissions(
  entries: readonly Entry[],
  givenUp: GivenUp,
  { fate = "not stored", only }: { readonly fate?: Fate; readonly only?: PendingChange } = {},
): Entry[] {
  const rest: Entry[] = [];
  for (const entry of entries) {
    const taskId = typeof entry === "function" ? null : submittedTask(entry);
    if (typeof entry === "function") {
      rest.push(entry);
    } else if (taskId !== null && (only === undefined || entry === only)) {
      givenUp.set(taskId, { submission: entry, fate });
    } else if (!("taskId" in entry.change) || !givenUp.has(entry.change.taskId)) {
      rest.push(entry);
    }
  }
  return rest;
}

/** The task of a submission; null of any other change. */
export function submittedTask({ change, abandoned }: PendingChange): string | null {
  return abandoned !== undefined && change.type === "taskInserted" ? change.task.taskId : null;
}
