import type { Database, Statement } from "better-sqlite3";
import type { OutboxEntry } from "../../tasks/task-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { type OutboxRow, outboxEntry } from "../outbox-row.ts";
import type { StoreClock } from "../store-clock.ts";

/** Webhooks that are to be delivered. An entry's id is its task's: a task ends once. */
export class Outbox {
  readonly #clock: StoreClock;
  readonly #due: Statement<[number, number], OutboxRow & { seq: number }>;
  readonly #lease: Statement<[number, number]>;
  readonly #tried: Statement<[string, number | null, string, string]>;

  constructor(database: Database, clock: StoreClock) {
    this.#clock = clock;
    this.#due = database.prepare(
      `SELECT outbox.task_seq AS seq, outbox.created_at_ms AS enteredAtMs, tries, ${TASK_COLUMNS}
       FROM ${TASK_TABLES} JOIN outbox ON outbox.task_seq = tasks.seq WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?`,
    );
    this.#lease = database.prepare("UPDATE outbox SET due_at_ms = ? WHERE task_seq = ?");
    this.#tried = database.prepare(
      `UPDATE outbox SET status = ?, due_at_ms = ?, note = ?, tries = tries + 1
       WHERE task_seq = (SELECT seq FROM tasks WHERE task_id = ?)`,
    );
  }

  due(limit: number, leaseMs: number): readonly OutboxEntry[] {
    const now = this.#clock();
    return this.#due.all(now, limit).map((row) => {
      this.#lease.run(now + leaseMs, row.seq);
      return outboxEntry(row);
    });
  }

  tried(outboxId: string, status: "delivered" | "failed" | "dead", retryAtMs: number | null, note: string): void {
    this.#tried.run(status, retryAtMs, note, outboxId);
  }
}
