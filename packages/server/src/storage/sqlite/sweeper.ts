import type { Database, Statement } from "better-sqlite3";
import type { TaskArtifact } from "../../tasks/stored-task.ts";
import type { ExpiredTask } from "../../tasks/task-store.ts";
import { deadlineExceeded } from "../deadline-exceeded.ts";
import type { StoreClock } from "../store-clock.ts";
import {
  cursorAfter,
  inputsToRemove,
  orphanCursorAfter,
  type SweepOptions,
  type SweepResult,
} from "../sweep-result.ts";
import { ROW_FORMAT, STATE_NUMBER } from "../task-row.ts";
import { type ChangeWriter, IDEMPOTENCY_MS } from "./change-writer.ts";
import { TaskRemover } from "./task-remover.ts";

/** Takes out what has had its time, a bite at a time, inside of the caller's transaction. */
export class Sweeper {
  readonly #writer: ChangeWriter;
  readonly #clock: StoreClock;
  readonly #remover: TaskRemover;
  readonly #classOf: Statement<[string], { classKey: string }>;
  readonly #pastDeadline: Statement<[number, number], { taskId: string }>;
  readonly #next: Statement<[number, number], LookedTask>;
  readonly #oldArtifacts: Statement<[number, number], { seq: number; artifacts: string }>;
  readonly #dropArtifacts: Statement<[string, number]>;
  readonly #largeInputs: Statement<[number, number], { seq: number; bytes: number; settledAtMs: number | null }>;
  readonly #oldKeys: Statement<[number, number]>;
  readonly #oldStops: Statement<[number, number]>;
  readonly #endedCredentials: Statement<[number, number]>;
  readonly #orphans: Statement<[string, number], { key: string }>;
  readonly #forgetOrphan: Statement<[string]>;
  /** The last key that was reported, or nothing where the next is the first. */
  #orphanCursor = "";
  /** Retention goes through the tasks from the oldest on; this is how far it has come. */
  #cursor = 0;
  /** The same for large inputs. */
  #inputCursor = 0;

  constructor(database: Database, writer: ChangeWriter, clock: StoreClock) {
    this.#writer = writer;
    this.#clock = clock;
    this.#remover = new TaskRemover(database);
    this.#classOf = database.prepare(
      "SELECT class_key AS classKey FROM tasks JOIN classes USING (class_seq) WHERE task_id = ?",
    );
    this.#pastDeadline = database.prepare(
      `SELECT task_id AS taskId FROM tasks INDEXED BY tasks_expiring
       WHERE state = 0 AND claimed = 0 AND format = 1 AND deadline_at_ms <= ? ORDER BY deadline_at_ms LIMIT ?`,
    );
    this.#next = database.prepare(
      `SELECT seq, task_id AS taskId, state, claimed, settled_at_ms AS settledAtMs, deadline_at_ms AS deadlineAtMs,
         created_at_ms AS createdAtMs FROM tasks WHERE seq > ? AND format <= ${ROW_FORMAT} ORDER BY seq LIMIT ?`,
    );
    this.#oldArtifacts = database.prepare(
      "SELECT seq, artifacts FROM tasks WHERE keeps_artifacts = 1 AND settled_at_ms < ? ORDER BY settled_at_ms LIMIT ?",
    );
    this.#dropArtifacts = database.prepare("UPDATE tasks SET keeps_artifacts = 0, artifacts = ? WHERE seq = ?");
    this.#largeInputs = database.prepare(
      `SELECT seq, bytes, settled_at_ms AS settledAtMs FROM large_inputs JOIN tasks ON seq = task_seq
       WHERE task_seq > ? AND format <= ${ROW_FORMAT} ORDER BY task_seq LIMIT ?`,
    );
    this.#oldKeys = database.prepare(
      `DELETE FROM idempotency_keys WHERE (user_seq, key) IN
         (SELECT user_seq, key FROM idempotency_keys WHERE created_at_ms < ? ORDER BY created_at_ms LIMIT ?)`,
    );
    this.#oldStops = database.prepare(
      "DELETE FROM webhook_stops WHERE key IN (SELECT key FROM webhook_stops WHERE at_ms < ? LIMIT ?)",
    );
    this.#endedCredentials = database.prepare(
      `DELETE FROM credentials WHERE credential_id IN
         (SELECT credential_id FROM credentials WHERE coalesce(revoked_at_ms, expires_at_ms) < ? LIMIT ?)`,
    );
    this.#orphans = database.prepare("SELECT key FROM orphaned_artifacts WHERE key > ? ORDER BY key LIMIT ?");
    this.#forgetOrphan = database.prepare("DELETE FROM orphaned_artifacts WHERE key = ?");
  }

  sweep({ taskTtlMs, artifactTtlMs, inputTtlMs, limit, removedKeys }: SweepOptions): SweepResult {
    const now = this.#clock();
    for (const key of removedKeys) this.#forgetOrphan.run(key);
    const expired = this.#pastDeadline.all(now, limit).flatMap(({ taskId }) => this.#expire(taskId, now));
    const old = this.#retire(now - taskTtlMs, limit, now);
    for (const { seq, artifacts } of this.#oldArtifacts.all(now - artifactTtlMs, limit)) {
      const list = JSON.parse(artifacts) as readonly TaskArtifact[];
      this.#remover.orphan(list);
      this.#dropArtifacts.run(JSON.stringify(list.map((artifact) => ({ ...artifact, key: null }))), seq);
    }
    const inputs = this.#removeInputs(now - inputTtlMs, limit);
    const keys = this.#oldKeys.run(now - IDEMPOTENCY_MS, limit).changes;
    this.#oldStops.run(now - taskTtlMs, limit);
    this.#endedCredentials.run(now - taskTtlMs, limit);
    const orphans = this.#orphans.all(this.#orphanCursor, limit).map(({ key }) => key);
    this.#orphanCursor = orphanCursorAfter(orphans, limit);
    return {
      deleted: old.deleted,
      expired: [...expired, ...old.expired],
      artifactKeys: orphans,
      inputs,
      more: this.#cursor !== 0 || this.#inputCursor !== 0 || keys === limit,
    };
  }

  /** Returns how many. */
  #removeInputs(settledBeforeMs: number, limit: number): number {
    const looked = this.#largeInputs.all(this.#inputCursor, limit).map(({ seq, bytes, settledAtMs }) => ({
      seq,
      bytes,
      old: settledAtMs !== null && settledAtMs < settledBeforeMs,
    }));
    const { seqs, cursor } = inputsToRemove(looked, limit);
    for (const seq of seqs) this.#remover.removeInput(seq);
    this.#inputCursor = cursor;
    return seqs.length;
  }

  #retire(createdBeforeMs: number, limit: number, now: number): { deleted: number; expired: ExpiredTask[] } {
    const looked = this.#next.all(this.#cursor, limit);
    const rows = looked.filter(({ createdAtMs }) => createdAtMs < createdBeforeMs);
    const expired: ExpiredTask[] = [];
    let deleted = 0;
    for (const row of rows) {
      if (row.settledAtMs !== null && row.settledAtMs < createdBeforeMs) {
        this.#remover.remove(row.seq);
        deleted += 1;
      } else if (row.state === STATE_NUMBER.queued && row.claimed === 0 && row.deadlineAtMs === null) {
        expired.push(...this.#expire(row.taskId, now));
      }
    }
    this.#cursor = cursorAfter(looked, rows.length, limit);
    return { deleted, expired };
  }

  #expire(taskId: string, atMs: number): readonly ExpiredTask[] {
    const outcome = this.#writer.apply(deadlineExceeded(taskId, atMs));
    const of = this.#classOf.get(taskId);
    return outcome.type === "applied" && outcome.event && of ? [{ event: outcome.event, ...of }] : [];
  }
}

interface LookedTask {
  readonly seq: number;
  readonly taskId: string;
  readonly state: number;
  readonly claimed: number;
  readonly settledAtMs: number | null;
  readonly deadlineAtMs: number | null;
  readonly createdAtMs: number;
}
