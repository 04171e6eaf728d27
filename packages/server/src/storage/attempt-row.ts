import type { StoredAttempt } from "../tasks/stored-task.ts";

/** An attempt's columns as every adapter selects them. */
export interface AttemptRow extends Omit<StoredAttempt, "legacy" | "open" | "error"> {
  readonly legacy: number;
  readonly open: number;
  readonly error: string | null;
}

export function decodeAttempt(row: AttemptRow): StoredAttempt {
  return {
    attemptId: row.attemptId,
    taskId: row.taskId,
    attempt: row.attempt,
    nodeId: row.nodeId,
    legacy: row.legacy === 1,
    cost: row.cost,
    limitMs: row.limitMs,
    state: row.state,
    open: row.open === 1,
    openedAtMs: row.openedAtMs,
    closedAtMs: row.closedAtMs,
    gpuMs: row.gpuMs,
    abortReason: row.abortReason,
    error: row.error === null ? null : JSON.parse(row.error),
  };
}
