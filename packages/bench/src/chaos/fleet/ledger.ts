import { join } from "node:path";
import Database from "better-sqlite3";

/** One attempt as the server's store has it. */
interface LedgerAttempt {
  readonly attemptId: string;
  readonly taskId: string;
  readonly nodeId: string;
  readonly state: string;
  readonly openedAtMs: number;
  readonly closedAtMs: number | null;
}

/** One task as the server's store has it; `ends` counts its final events. */
export interface LedgerTask {
  readonly taskId: string;
  readonly state: "queued" | "running" | "succeeded" | "failed" | "canceled";
  readonly settledAtMs: number | null;
  readonly ends: number;
  readonly attempts: readonly LedgerAttempt[];
}

const STATES = ["queued", "running", "succeeded", "failed", "canceled"] as const;

/** Reads every task from the file of a server's home, beside the running server. */
export function readLedger(home: string): readonly LedgerTask[] {
  const database = new Database(join(home, "tasks.db"), { readonly: true });
  try {
    const attempts = database
      .prepare<[], LedgerAttempt>(
        `SELECT attempt_id AS attemptId, task_id AS taskId, node_id AS nodeId, attempts.state, opened_at_ms AS openedAtMs,
           closed_at_ms AS closedAtMs FROM attempts JOIN tasks ON tasks.seq = task_seq ORDER BY task_seq, attempt`,
      )
      .all();
    const byTask = new Map<string, LedgerAttempt[]>();
    for (const attempt of attempts) byTask.set(attempt.taskId, [...(byTask.get(attempt.taskId) ?? []), attempt]);
    return database
      .prepare<[], { taskId: string; state: number; settledAtMs: number | null; ends: number }>(
        `SELECT task_id AS taskId, state, settled_at_ms AS settledAtMs,
           (SELECT count(*) FROM events WHERE task_seq = seq AND events.state >= 2) AS ends FROM tasks ORDER BY seq`,
      )
      .all()
      .map((row) => ({ ...row, state: STATES[row.state] ?? "queued", attempts: byTask.get(row.taskId) ?? [] }));
  } finally {
    database.close();
  }
}
