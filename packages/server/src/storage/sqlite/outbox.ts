import type { Database, Statement } from "better-sqlite3";
import { type OutboxEntry, TRIES_KEPT_MAX, type TryOutcome } from "../../webhooks/delivery-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { statusesOf } from "../delivery-row.ts";
import { type OutboxRow, outboxEntry } from "../outbox-row.ts";
import type { StoreClock } from "../store-clock.ts";
import { ROW_FORMAT } from "../task-row.ts";
import type { ReplaySelection } from "./writer-protocol.ts";

/** Webhooks that are to be delivered. An entry's id is its task's: a task ends once. */
export class Outbox {
  readonly #clock: StoreClock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(database: Database, clock: StoreClock) {
    this.#clock = clock;
    this.#sql = prepare(database);
  }

  due(limit: number, leaseMs: number): readonly OutboxEntry[] {
    const now = this.#clock();
    return this.#sql.due.all(now, limit).map((row) => {
      this.#sql.lease.run(now + leaseMs, row.seq);
      return outboxEntry(row);
    });
  }

  tried(outboxId: string, { state, retryInMs, atMs, durationMs, httpStatus, note }: TryOutcome): void {
    const dueAtMs = state === "waiting" ? this.#clock() + retryInMs : null;
    const row = this.#sql.tried.get(state === "waiting" ? "failed" : state, dueAtMs, note, outboxId);
    if (row === undefined) return;
    this.#sql.log.run(row.seq, atMs, durationMs, httpStatus, note, row.seq);
    this.#sql.forgetTries.run(row.seq, TRIES_KEPT_MAX, row.seq);
  }

  defer(deliveryIds: readonly string[], forMs: number): void {
    const dueAtMs = this.#clock() + forMs;
    for (const deliveryId of deliveryIds) this.#sql.defer.run(dueAtMs, deliveryId);
  }

  replay(deliveryId: string): boolean {
    return this.#sql.replay.run(this.#clock(), deliveryId).changes === 1;
  }

  replayAll({ userId, sinceMs, untilMs, state }: ReplaySelection): number {
    const wanted = JSON.stringify(statusesOf(state));
    return this.#sql.replayAll.run(this.#clock(), userId, sinceMs, untilMs, wanted).changes;
  }

  setSinkStopped(key: string, stopped: boolean): void {
    if (stopped) this.#sql.stop.run(key, this.#clock());
    else this.#sql.resume.run(key);
  }
}

function prepare(database: Database) {
  const statement = <Row = unknown>(sql: string): Statement<unknown[], Row> => database.prepare<unknown[], Row>(sql);
  const ofTask = "task_seq = (SELECT seq FROM tasks WHERE task_id = ?)";
  return {
    due: statement<OutboxRow & { seq: number }>(
      `SELECT outbox.task_seq AS seq, outbox.created_at_ms AS enteredAtMs, tries, ${TASK_COLUMNS}
       FROM ${TASK_TABLES} JOIN outbox ON outbox.task_seq = tasks.seq
       WHERE due_at_ms <= ? AND format <= ${ROW_FORMAT} ORDER BY due_at_ms LIMIT ?`,
    ),
    lease: statement("UPDATE outbox SET due_at_ms = ? WHERE task_seq = ?"),
    tried: statement<{ seq: number }>(
      `UPDATE outbox SET status = ?, due_at_ms = ?, note = ?, tries = tries + 1 WHERE ${ofTask} RETURNING task_seq AS seq`,
    ),
    log: statement(
      `INSERT INTO webhook_tries (task_seq, number, at_ms, duration_ms, http_status, note)
       SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ? FROM webhook_tries WHERE task_seq = ?`,
    ),
    forgetTries: statement(
      "DELETE FROM webhook_tries WHERE task_seq = ? AND number <= (SELECT max(number) - ? FROM webhook_tries WHERE task_seq = ?)",
    ),
    defer: statement(`UPDATE outbox SET due_at_ms = ? WHERE due_at_ms IS NOT NULL AND ${ofTask}`),
    replay: statement(`UPDATE outbox SET status = 'due', due_at_ms = ?, tries = 0 WHERE ${ofTask}`),
    replayAll: statement(
      `UPDATE outbox SET status = 'due', due_at_ms = ?, tries = 0
       WHERE user_seq = (SELECT user_seq FROM users WHERE user_id = ?) AND created_at_ms BETWEEN ? AND ?
         AND status IN (SELECT value FROM json_each(?))`,
    ),
    stop: statement("INSERT OR REPLACE INTO webhook_stops (key, at_ms) VALUES (?, ?)"),
    resume: statement("DELETE FROM webhook_stops WHERE key = ?"),
  };
}
