import type { ExpiredTask } from "../tasks/task-store.ts";

export interface SweepOptions {
  readonly taskTtlMs: number;
  readonly artifactTtlMs: number;
  readonly inputTtlMs: number;
  /** Rows of each kind that one bite takes. */
  readonly limit: number;
  /** Keys that an earlier sweep reported, and whose bytes are gone. */
  readonly removedKeys: readonly string[];
}

export interface SweepResult {
  readonly deleted: number;
  readonly expired: readonly ExpiredTask[];
  /** Keys of artifacts that no task names any more. Each is reported until it is among the removed ones. */
  readonly artifactKeys: readonly string[];
  /** Large inputs of ended tasks that were removed. */
  readonly inputs: number;
  /** There may be more to take out behind what this bite looked at. */
  readonly more: boolean;
}

/** Large inputs that one bite removes may have so many bytes together: to free their pages takes its time. One of more goes alone. */
const BITE_BYTES_MAX = 16 * 1_024 * 1_024;

/** Which of the looked-at large inputs go now, and where the next bite goes on: behind the last that was dealt with, or at the first again
 *  where no more came. */
export function inputsToRemove(
  looked: readonly { readonly seq: number; readonly bytes: number; readonly old: boolean }[],
  limit: number,
): { readonly seqs: readonly number[]; readonly cursor: number } {
  const seqs: number[] = [];
  let bytes = 0;
  let last = 0;
  for (const input of looked) {
    if (input.old) {
      if (seqs.length > 0 && bytes + input.bytes > BITE_BYTES_MAX) return { seqs, cursor: last };
      bytes += input.bytes;
      seqs.push(input.seq);
    }
    last = input.seq;
  }
  return { seqs, cursor: looked.length < limit ? 0 : last };
}

/** Where retention goes on after it looked at the next `limit` tasks, of which so many were old: behind them, or at the first again where
 *  none was old or no more came. Tasks are numbered as they arrive, so behind young ones there is nothing to look for; to look all the same
 *  went through a million tasks each minute. */
export function cursorAfter(looked: readonly { readonly seq: number }[], oldCount: number, limit: number): number {
  return looked.length < limit || oldCount === 0 ? 0 : (looked.at(-1)?.seq ?? 0);
}

/** Where the next sweep goes on after it reported these keys: behind them, or at the first again where no more came. So keys whose bytes
 *  cannot be removed are in nobody's way. */
export function orphanCursorAfter(keys: readonly string[], limit: number): string {
  return keys.length < limit ? "" : (keys.at(-1) ?? "");
}
