import type { TaskEvent } from "../tasks/stored-task.ts";

export interface SweepOptions {
  readonly taskTtlMs: number;
  readonly artifactTtlMs: number;
  /** Rows of each kind that one bite takes. */
  readonly limit: number;
}

export interface SweepResult {
  readonly deleted: number;
  readonly expired: readonly TaskEvent[];
  readonly artifactKeys: readonly string[];
  /** There are old tasks behind those that this bite looked at. */
  readonly more: boolean;
}

/** Where retention goes on after it looked at the next `limit` tasks, of which so many were old: behind them, or at the first again where
 *  none was old or no more came. Tasks are numbered as they arrive, so behind young ones there is nothing to look for; to look all the same
 *  went through a million tasks each minute. */
export function cursorAfter(looked: readonly { readonly seq: number }[], oldCount: number, limit: number): number {
  return looked.length < limit || oldCount === 0 ? 0 : (looked.at(-1)?.seq ?? 0);
}
