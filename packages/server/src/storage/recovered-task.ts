import type { StoredAttempt } from "../tasks/stored-task.ts";
import type { ClaimedTask } from "../tasks/task-store.ts";

/** A task that was given out when the process before this one ended. */
export type RecoveredTask = ClaimedTask & { readonly open: readonly StoredAttempt[] };

export interface RecoveredBatch {
  readonly tasks: readonly RecoveredTask[];
  /** Where the next batch begins, or null at the end. */
  readonly next: number | null;
}

/** Goes through the batches from the first to the last. */
export async function* batches(
  batchAfter: (after: number) => Promise<RecoveredBatch>,
): AsyncIterable<readonly RecoveredTask[]> {
  for (let after: number | null = 0; after !== null; ) {
    const batch: RecoveredBatch = await batchAfter(after);
    if (batch.tasks.length > 0) yield batch.tasks;
    after = batch.next;
  }
}
