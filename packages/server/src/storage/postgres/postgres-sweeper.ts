import { randomUUID } from "node:crypto";
import type { ClientBase, Pool } from "pg";
import type { TaskArtifact } from "../../tasks/stored-task.ts";
import type { ExpiredTask, StoreChange } from "../../tasks/task-store.ts";
import { type AppliedChange, changeOutcome } from "../applied-change.ts";
import { deadlineExceeded } from "../deadline-exceeded.ts";
import {
  cursorAfter,
  inputsToRemove,
  orphanCursorAfter,
  type SweepOptions,
  type SweepResult,
} from "../sweep-result.ts";
import { ROW_FORMAT } from "../task-row.ts";
import { applyQuery, prepareChange } from "./change-batches.ts";
import { KnownNames } from "./known-names.ts";
import { LIVING_SERVERS } from "./server-lease.ts";
import { inTransaction } from "./transaction.ts";

/** Servers take turns: sweeping twice would do no harm, and no good. */
const SWEEP_LOCK = 0x67656e616a;

/** Groups of changes that a bite takes for each of its tasks: small rows, and several come of each task. */
const GROUPS_FOR_A_TASK = 10;

const NOTHING: SweepResult = { deleted: 0, expired: [], artifactKeys: [], inputs: 0, more: false };

/** Takes out what has had its time, a bite at a time. */
export class PostgresSweeper {
  readonly #pool: Pool;
  readonly #serverId: string;
  #cursor = 0;
  #inputCursor = 0;
  /** What a bite ended, or tried to, until its commit is heard. Nobody else tells of it. */
  #unheard: { readonly groupId: string; readonly changes: readonly StoreChange[] } | null = null;
  /** The last key that was reported, or nothing where the next is the first. */
  #orphanCursor = "";

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  /** `tellsWhoIsGone`: whether a server whose lease has lapsed is. What one claimed and did not start waits again. */
  async sweep(options: SweepOptions, tellsWhoIsGone: boolean): Promise<SweepResult> {
    const before = await this.#endedUnheard();
    if (before.length > 0) return { ...NOTHING, expired: before, more: true };
    if (tellsWhoIsGone) await this.#releaseOfTheGone(options.limit);
    const swept = await inTransaction(this.#pool, async (client) => {
      // A bite is small beside its table, which a plan for any limit takes for a tenth of it, and goes through all.
      await client.query("SET LOCAL plan_cache_mode = auto");
      const { rows } = await client.query(`SELECT pg_try_advisory_xact_lock(${SWEEP_LOCK}) AS mine, now_ms() AS now`);
      return rows[0]?.mine ? await this.#bite(client, options, rows[0].now) : NOTHING;
    });
    this.#unheard = null;
    return swept;
  }

  /** What an earlier bite ended whose commit nobody heard of, once it is certain that it did. */
  async #endedUnheard(): Promise<readonly ExpiredTask[]> {
    if (this.#unheard === null) return [];
    const { groupId, changes } = this.#unheard;
    const ended = await inTransaction(this.#pool, async (client) => {
      await client.query("SELECT fence(ARRAY[$1::uuid])", [groupId]);
      const { rows } = await client.query("SELECT outcomes FROM change_groups WHERE group_id = $1", [groupId]);
      const outcomes: string | null = rows[0]?.outcomes ?? null;
      return outcomes === null ? [] : await this.#expiredOf(client, changes, JSON.parse(outcomes));
    });
    this.#unheard = null;
    return ended;
  }

  /** In a transaction of its own: it locks classes, and what a bite ends locks users, whom groups of changes lock before classes. The limit
   *  stands in the statement for its plan's sake. */
  async #releaseOfTheGone(limit: number): Promise<void> {
    await this.#pool.query(
      `SELECT release_claims(ARRAY(SELECT seq FROM tasks WHERE claimed_by IS NOT NULL AND state = 0 AND format <= ${ROW_FORMAT}
         AND claimed_by NOT IN (${LIVING_SERVERS})
         AND NOT EXISTS (SELECT 1 FROM attempts WHERE task_seq = seq AND open = 1)
         ORDER BY claimed_by, seq LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED))`,
    );
  }

  async #bite(
    client: ClientBase,
    { taskTtlMs, artifactTtlMs, inputTtlMs, limit, removedKeys }: SweepOptions,
    now: number,
  ): Promise<SweepResult> {
    await client.query("DELETE FROM orphaned_artifacts WHERE key = ANY($1::text[])", [removedKeys]);
    const { rows: late } = await client.query<{ taskId: string }>(
      `SELECT task_id AS "taskId" FROM tasks WHERE state = 0 AND claimed_by IS NULL AND format = 1 AND deadline_at_ms <= $1
       ORDER BY deadline_at_ms LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
      [now, limit],
    );
    const old = await this.#retire(client, now - taskTtlMs, limit);
    const expired = await this.#expire(client, [...late.map((row) => row.taskId), ...old.expired], now);
    await this.#dropArtifacts(client, now - artifactTtlMs, limit);
    const inputs = await this.#removeInputs(client, now - inputTtlMs, limit);
    const { rowCount: keys } = await client.query(
      `DELETE FROM idempotency_keys WHERE (user_seq, key) IN
         (SELECT user_seq, key FROM idempotency_keys WHERE created_at_ms < $1::bigint - 86400000 ORDER BY created_at_ms LIMIT $2)`,
      [now, limit],
    );
    await client.query(
      "DELETE FROM webhook_stops WHERE key IN (SELECT key FROM webhook_stops WHERE at_ms < $1 LIMIT $2)",
      [now - taskTtlMs, limit],
    );
    await client.query(
      `DELETE FROM credentials WHERE credential_id IN
         (SELECT credential_id FROM credentials WHERE coalesce(revoked_at_ms, expires_at_ms) < $1 LIMIT $2)`,
      [now - taskTtlMs, limit],
    );
    // A group is asked for within seconds; an hour is for a server that was stopped in the middle.
    const { rowCount: groups } = await client.query(
      `DELETE FROM change_groups WHERE group_id IN
         (SELECT group_id FROM change_groups WHERE at_ms < $1::bigint - 3600000 ORDER BY at_ms LIMIT $2)`,
      [now, GROUPS_FOR_A_TASK * limit],
    );
    const { rows } = await client.query<{ key: string }>(
      "SELECT key FROM orphaned_artifacts WHERE key > $1 ORDER BY key LIMIT $2",
      [this.#orphanCursor, limit],
    );
    const orphans = rows.map((row) => row.key);
    this.#orphanCursor = orphanCursorAfter(orphans, limit);
    const isFull = keys === limit || groups === GROUPS_FOR_A_TASK * limit;
    const more = isFull || this.#cursor !== 0 || this.#inputCursor !== 0;
    return { deleted: old.deleted, expired, artifactKeys: orphans, inputs, more };
  }

  async #retire(client: ClientBase, createdBeforeMs: number, limit: number) {
    const { rows: looked } = await client.query<{
      seq: number;
      taskId: string;
      old: boolean;
      gone: boolean;
      waiting: boolean;
    }>(
      `SELECT seq, task_id AS "taskId", created_at_ms < $2 AS old, coalesce(settled_at_ms < $2, false) AS gone,
         state = 0 AND claimed_by IS NULL AND deadline_at_ms IS NULL AS waiting
       FROM tasks WHERE seq > $1 AND format <= ${ROW_FORMAT} ORDER BY seq LIMIT $3`,
      [this.#cursor, createdBeforeMs, limit],
    );
    const rows = looked.filter((row) => row.old);
    const gone = rows.filter((row) => row.gone).map((row) => row.seq);
    await client.query("SELECT remove_task(seq) FROM unnest($1::bigint[]) seq", [gone]);
    this.#cursor = cursorAfter(looked, rows.length, limit);
    return { deleted: gone.length, expired: rows.filter((row) => row.waiting).map((row) => row.taskId) };
  }

  async #expire(client: ClientBase, taskIds: readonly string[], now: number): Promise<readonly ExpiredTask[]> {
    if (taskIds.length === 0) return [];
    const changes = taskIds.map((taskId) => deadlineExceeded(taskId, now));
    const groupId = randomUUID();
    this.#unheard = { groupId, changes };
    const { rows } = await client.query(
      applyQuery(groupId, changes.map(prepareChange), new KnownNames(), this.#serverId),
    );
    return await this.#expiredOf(client, changes, JSON.parse(rows[0]?.outcomes));
  }

  async #expiredOf(
    client: ClientBase,
    changes: readonly StoreChange[],
    applied: readonly AppliedChange[],
  ): Promise<readonly ExpiredTask[]> {
    const events = changes.flatMap((change, index) => {
      const outcome = changeOutcome(change, applied[index] as AppliedChange);
      return outcome.type === "applied" && outcome.event ? [outcome.event] : [];
    });
    const { rows: classes } = await client.query<{ taskId: string; classKey: string }>(
      `SELECT task_id AS "taskId", class_key AS "classKey" FROM tasks JOIN classes USING (class_seq) WHERE task_id = ANY($1)`,
      [events.map(({ taskId }) => taskId)],
    );
    const classOf = new Map(classes.map(({ taskId, classKey }) => [taskId, classKey]));
    return events.flatMap((event) => {
      const classKey = classOf.get(event.taskId);
      return classKey === undefined ? [] : [{ event, classKey }];
    });
  }

  async #dropArtifacts(client: ClientBase, settledBeforeMs: number, limit: number): Promise<void> {
    const { rows } = await client.query<{ seq: number; artifacts: string; keys: string[] }>(
      `SELECT seq, artifacts, artifact_keys AS keys FROM tasks WHERE artifact_keys IS NOT NULL AND settled_at_ms < $1
       ORDER BY settled_at_ms LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
      [settledBeforeMs, limit],
    );
    if (rows.length === 0) return;
    const emptied = rows.map((row) =>
      JSON.stringify((JSON.parse(row.artifacts) as TaskArtifact[]).map((artifact) => ({ ...artifact, key: null }))),
    );
    await client.query(`INSERT INTO orphaned_artifacts SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING`, [
      rows.flatMap((row) => row.keys),
    ]);
    await client.query(
      `UPDATE tasks SET artifact_keys = NULL, artifacts = x.artifacts FROM unnest($1::bigint[], $2::text[]) AS x (seq, artifacts)
       WHERE tasks.seq = x.seq`,
      [rows.map((row) => row.seq), emptied],
    );
  }

  /** Returns how many. */
  async #removeInputs(client: ClientBase, settledBeforeMs: number, limit: number): Promise<number> {
    const { rows } = await client.query<{ seq: number; bytes: number; old: boolean }>(
      `SELECT task_seq AS seq, bytes, coalesce(settled_at_ms < $2, false) AS old FROM large_inputs JOIN tasks ON seq = task_seq
       WHERE task_seq > $1 AND format <= ${ROW_FORMAT} ORDER BY task_seq LIMIT $3`,
      [this.#inputCursor, settledBeforeMs, limit],
    );
    const { seqs, cursor } = inputsToRemove(rows, limit);
    await client.query("DELETE FROM pipelines WHERE task_seq = ANY($1::bigint[])", [seqs]);
    this.#inputCursor = cursor;
    return seqs.length;
  }
}
