import type { ChangeOutcome, StoreChange } from "../tasks/task-store.ts";

/** A change on its way to the disk. */
export interface PendingChange {
  readonly change: StoreChange;
  /** Called once it is on the disk, or its guard failed. In order, before any later change is told. */
  readonly committed?: (outcome: ChangeOutcome) => void;
  /** Called instead when the store is away, or `CommitLoop.giveUp` is called, and the change may be given up (a submission). Where this
   *  is absent the change is tried again until the store is back: what a node did can't be undone. */
  readonly abandoned?: () => void;
}

/** A change, or who waits for those before it. */
export type Entry = PendingChange | (() => void);

export function changesOf(entries: readonly Entry[]): readonly StoreChange[] {
  const changes: StoreChange[] = [];
  for (const entry of entries) if (typeof entry !== "function") changes.push(entry.change);
  return changes;
}
