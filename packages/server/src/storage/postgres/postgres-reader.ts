import type { Pipeline } from "@genai/protocol";
import type { QueryResultRow } from "pg";
import type { StoredAttempt, StoredTask, TaskEvent, TaskState } from "../../tasks/stored-task.ts";
import type { ClassBacklog, Usage } from "../../tasks/task-store.ts";
import { type AttemptRow, decodeAttempt } from "../attempt-row.ts";
import { ATTEMPT_COLUMNS, EVENT_COLUMNS, EVENT_TABLES, TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { decodeEvent, type EventRow } from "../event-row.ts";
import type { RecoveredTask } from "../recovered-task.ts";
import { decodeTask, ROW_FORMAT, TASK_STATES, type TaskRow } from "../task-row.ts";
import { tasksBeforeSql } from "../tasks-before-sql.ts";
import { plain } from "./change-argument.ts";

/** Runs one statement; the name makes it a prepared one. */
export type Query = <Row extends QueryResultRow>(
  name: string,
  text: string,
  values: readonly unknown[],
) => Promise<Row[]>;

/** Lookups by key and pages of at most `limit` rows. */
export class PostgresReader {
  readonly #query: Query;

  constructor(query: Query) {
    this.#query = query;
  }

  async task(taskId: string): Promise<StoredTask | null> {
    const rows = await this.#query<TaskRow>("task", `SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES} WHERE task_id = $1`, [
      plain(taskId),
    ]);
    return rows[0] ? decodeTask(rows[0]) : null;
  }

  async held(taskId: string, serverId: string): Promise<RecoveredTask | null> {
    const [row] = await this.#query<TaskRow>(
      "held",
      `SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES}
       WHERE task_id = $1 AND claimed_by = $2 AND tasks.state < 2 AND format <= ${ROW_FORMAT}`,
      [plain(taskId), serverId],
    );
    if (row === undefined) return null;
    const open = (await this.attemptsOf(taskId)).filter((attempt) => attempt.open);
    return { task: decodeTask(row), classKey: row.classKey, open };
  }

  async pipelineOf(taskId: string): Promise<Pipeline | null> {
    const rows = await this.#query<{ pipeline: string }>(
      "pipeline",
      "SELECT pipeline FROM pipelines JOIN tasks ON tasks.seq = pipelines.task_seq WHERE task_id = $1",
      [plain(taskId)],
    );
    return rows[0] ? JSON.parse(rows[0].pipeline) : null;
  }

  async attempt(attemptId: string): Promise<StoredAttempt | null> {
    const rows = await this.#query<AttemptRow>(
      "attempt",
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq WHERE attempt_id = $1`,
      [plain(attemptId)],
    );
    return rows[0] ? decodeAttempt(rows[0]) : null;
  }

  async attemptsOf(taskId: string): Promise<readonly StoredAttempt[]> {
    const rows = await this.#query<AttemptRow>(
      "attempts",
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq WHERE task_id = $1 ORDER BY attempt`,
      [plain(taskId)],
    );
    return rows.map(decodeAttempt);
  }

  /** See {@link tasksBeforeSql}. */
  async tasksBefore(
    userId: string,
    states: readonly TaskState[] | null,
    beforeTaskId: string,
    limit: number,
  ): Promise<readonly StoredTask[]> {
    const rows = await this.#query<TaskRow>(
      `tasks ${states?.join(" ") ?? "of all states"}`,
      tasksBeforeSql(states, { user: "$1", before: "$2", limit: "$3" }),
      [plain(userId), plain(beforeTaskId), limit],
    );
    return rows.map(decodeTask);
  }

  async eventsOf(taskId: string, afterNumber: number, limit: number): Promise<readonly TaskEvent[]> {
    const rows = await this.#query<EventRow>(
      "events",
      `SELECT ${EVENT_COLUMNS} FROM ${EVENT_TABLES}
       WHERE task_seq = (SELECT seq FROM tasks WHERE task_id = $1) AND number > $2 ORDER BY number LIMIT $3`,
      [plain(taskId), afterNumber, limit],
    );
    return rows.map(decodeEvent);
  }

  async eventsOfUser(userId: string, afterPosition: number, limit: number): Promise<readonly TaskEvent[]> {
    const rows = await this.#query<EventRow>(
      "userEvents",
      `SELECT ${EVENT_COLUMNS} FROM ${EVENT_TABLES}
       WHERE events.user_seq = (SELECT user_seq FROM users WHERE user_id = $1) AND position > $2 ORDER BY position LIMIT $3`,
      [plain(userId), afterPosition, limit],
    );
    return rows.map(decodeEvent);
  }

  async lastPosition(): Promise<number> {
    const rows = await this.#query<{ value: number }>(
      "position",
      "SELECT value FROM counters WHERE name = 'position'",
      [],
    );
    return rows[0]?.value ?? 0;
  }

  async usageOf(userId: string): Promise<Usage> {
    const [row] = await this.#query<Record<TaskState, number> & { gpuMs: number; cost: number }>(
      "usage",
      `SELECT ${TASK_STATES.join(", ")}, gpu_ms AS "gpuMs", cost FROM users WHERE user_id = $1`,
      [plain(userId)],
    );
    const tasks = Object.fromEntries(TASK_STATES.map((state) => [state, row?.[state] ?? 0])) as Usage["tasks"];
    return { tasks, gpuMs: row?.gpuMs ?? 0, cost: row?.cost ?? 0 };
  }

  async inputBytesOf(userId: string): Promise<number> {
    const [row] = await this.#query<{ bytes: number }>(
      "inputBytes",
      `SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM large_inputs
       WHERE user_seq = (SELECT user_seq FROM users WHERE user_id = $1)`,
      [plain(userId)],
    );
    return row?.bytes ?? 0;
  }

  async idempotency(
    userId: string,
    key: string,
  ): Promise<{ readonly taskId: string; readonly bodyHash: string } | null> {
    const rows = await this.#query<{ taskId: string; bodyHash: string }>(
      "key",
      `SELECT task_id AS "taskId", body_hash AS "bodyHash" FROM idempotency_keys i JOIN tasks USING (task_id)
       WHERE i.user_seq = (SELECT user_seq FROM users WHERE user_id = $1) AND key = $2
         AND i.created_at_ms > now_ms() - 86400000`,
      [plain(userId), plain(key)],
    );
    return rows[0] ?? null;
  }

  backlog(): Promise<readonly ClassBacklog[]> {
    return this.#query<ClassBacklog & QueryResultRow>(
      "backlog",
      'SELECT class_key AS "classKey", unclaimed FROM classes WHERE unclaimed > 0',
      [],
    );
  }

  async readDocument(name: string): Promise<string | null> {
    const rows = await this.#query<{ text: string }>("document", "SELECT text FROM documents WHERE name = $1", [name]);
    return rows[0]?.text ?? null;
  }
}
