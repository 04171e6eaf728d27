import type { Pipeline } from "@genai/protocol";
import type { Database, Statement } from "better-sqlite3";
import type { StoredAttempt, StoredTask, TaskEvent, TaskState } from "../../tasks/stored-task.ts";
import type { ClassBacklog, Usage } from "../../tasks/task-store.ts";
import { type AttemptRow, decodeAttempt } from "../attempt-row.ts";
import { ATTEMPT_COLUMNS, EVENT_COLUMNS, EVENT_TABLES, TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { decodeEvent, type EventRow } from "../event-row.ts";
import type { RecoveredTask } from "../recovered-task.ts";
import type { StoreClock } from "../store-clock.ts";
import { decodeTask, ROW_FORMAT, TASK_STATES, type TaskRow } from "../task-row.ts";
import { tasksBeforeSql } from "../tasks-before-sql.ts";
import { IDEMPOTENCY_MS } from "./change-writer.ts";

/** Reads of a connection of its own, which see what is committed and never wait for the writer. Each is short: a lookup
 *  by key or at most `limit` rows. */
export class Reader {
  readonly #database: Database;
  readonly #clock: StoreClock;
  /** By states; there are 32 at most. */
  readonly #listings = new Map<string, Statement<unknown[], TaskRow>>();
  readonly #sql: ReturnType<typeof prepare>;

  constructor(database: Database, clock: StoreClock) {
    this.#database = database;
    this.#clock = clock;
    this.#sql = prepare(database);
  }

  task(taskId: string): StoredTask | null {
    const row = this.#sql.task.get(taskId);
    return row ? decodeTask(row) : null;
  }

  held(taskId: string): RecoveredTask | null {
    const row = this.#sql.held.get(taskId);
    if (!row) return null;
    return { task: decodeTask(row), classKey: row.classKey, open: this.attemptsOf(taskId).filter(({ open }) => open) };
  }

  pipelineOf(taskId: string): Pipeline | null {
    const row = this.#sql.pipeline.get(taskId);
    return row ? JSON.parse(row.pipeline) : null;
  }

  attempt(attemptId: string): StoredAttempt | null {
    const row = this.#sql.attempt.get(attemptId);
    return row ? decodeAttempt(row) : null;
  }

  attemptsOf(taskId: string): readonly StoredAttempt[] {
    return this.#sql.attempts.all(taskId).map(decodeAttempt);
  }

  /** See {@link tasksBeforeSql}. */
  tasksBefore(
    userId: string,
    states: readonly TaskState[] | null,
    beforeTaskId: string,
    limit: number,
  ): readonly StoredTask[] {
    return this.#tasksBefore(states).all({ userId, beforeTaskId, limit }).map(decodeTask);
  }

  eventsOf(taskId: string, afterNumber: number, limit: number): readonly TaskEvent[] {
    return this.#sql.events.all(taskId, afterNumber, limit).map(decodeEvent);
  }

  eventsOfUser(userId: string, afterPosition: number, limit: number): readonly TaskEvent[] {
    return this.#sql.userEvents.all(userId, afterPosition, limit).map(decodeEvent);
  }

  lastPosition(): number {
    return this.#sql.position.get()?.value ?? 0;
  }

  usageOf(userId: string): Usage {
    const row = this.#sql.usage.get(userId);
    const tasks = Object.fromEntries(TASK_STATES.map((state) => [state, row?.[state] ?? 0])) as Usage["tasks"];
    return { tasks, gpuMs: row?.gpuMs ?? 0, cost: row?.cost ?? 0 };
  }

  queuedOf(userId: string): number {
    return this.#sql.usage.get(userId)?.queued ?? 0;
  }

  inputBytesOf(userId: string): number {
    return this.#sql.inputBytes.get(userId)?.bytes ?? 0;
  }

  idempotency(userId: string, key: string): { readonly taskId: string; readonly bodyHash: string } | null {
    return this.#sql.key.get(userId, key, this.#clock() - IDEMPOTENCY_MS) ?? null;
  }

  backlog(): readonly ClassBacklog[] {
    return this.#sql.backlog.all();
  }

  readDocument(name: string): string | null {
    return this.#sql.document.get(name)?.text ?? null;
  }

  #tasksBefore(states: readonly TaskState[] | null): Statement<unknown[], TaskRow> {
    const name = states?.join(" ") ?? "all";
    const known = this.#listings.get(name);
    if (known !== undefined) return known;
    const sql = tasksBeforeSql(states, { user: "@userId", before: "@beforeTaskId", limit: "@limit" });
    const statement = this.#database.prepare<unknown[], TaskRow>(sql);
    this.#listings.set(name, statement);
    return statement;
  }
}

function prepare(database: Database) {
  const statement = <Row>(sql: string) => database.prepare<unknown[], Row>(sql);
  return {
    task: statement<TaskRow>(`SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES} WHERE task_id = ?`),
    held: statement<TaskRow>(
      `SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES}
       WHERE task_id = ? AND claimed = 1 AND tasks.state < 2 AND format <= ${ROW_FORMAT}`,
    ),
    pipeline: statement<{ pipeline: string }>(
      "SELECT pipeline FROM pipelines JOIN tasks ON tasks.seq = pipelines.task_seq WHERE task_id = ?",
    ),
    inputBytes: statement<{ bytes: number }>(
      "SELECT sum(bytes) AS bytes FROM large_inputs WHERE user_seq = (SELECT user_seq FROM users WHERE user_id = ?)",
    ),
    attempt: statement<AttemptRow>(
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq WHERE attempt_id = ?`,
    ),
    attempts: statement<AttemptRow>(
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq WHERE task_id = ? ORDER BY attempt`,
    ),
    events: statement<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM ${EVENT_TABLES}
       WHERE task_seq = (SELECT seq FROM tasks WHERE task_id = ?) AND number > ? ORDER BY number LIMIT ?`,
    ),
    userEvents: statement<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM ${EVENT_TABLES}
       WHERE events.user_seq = (SELECT user_seq FROM users WHERE user_id = ?) AND position > ? ORDER BY position LIMIT ?`,
    ),
    position: statement<{ value: number }>("SELECT value FROM counters WHERE name = 'position'"),
    usage: statement<Record<TaskState, number> & { gpuMs: number; cost: number }>(
      `SELECT ${TASK_STATES.join(", ")}, gpu_ms AS gpuMs, cost FROM users WHERE user_id = ?`,
    ),
    key: statement<{ taskId: string; bodyHash: string }>(
      `SELECT task_id AS taskId, body_hash AS bodyHash FROM idempotency_keys i JOIN tasks USING (task_id)
       WHERE i.user_seq = (SELECT user_seq FROM users WHERE user_id = ?) AND key = ? AND i.created_at_ms > ?`,
    ),
    backlog: statement<ClassBacklog>("SELECT class_key AS classKey, unclaimed FROM classes WHERE unclaimed > 0"),
    document: statement<{ text: string }>("SELECT text FROM documents WHERE name = ?"),
  };
}
