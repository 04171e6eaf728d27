import type { Pipeline } from "@genai/protocol";
import type pg from "pg";
import type { QueryResultRow } from "pg";
import type { Credential, NewCredential } from "../../identity/credential-store.ts";
import type { StoredAttempt, StoredTask, TaskEvent } from "../../tasks/stored-task.ts";
import {
  type ChangeOutcome,
  type ClaimedTask,
  type ClaimRequest,
  type ClassBacklog,
  type StoreChange,
  StoreUnavailable,
  type TaskListFilter,
  type TaskPage,
  type Usage,
} from "../../tasks/task-store.ts";
import type {
  Delivery,
  DeliveryState,
  DeliveryTry,
  OutboxEntry,
  TryOutcome,
  WebhookBacklog,
} from "../../webhooks/delivery-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { errorReason } from "../error-code.ts";
import { FolderLock } from "../folder-lock.ts";
import { type OutboxRow, outboxEntry } from "../outbox-row.ts";
import { batches, type RecoveredTask } from "../recovered-task.ts";
import type { ServerStore } from "../server-store.ts";
import { StoreRefused } from "../store-refused.ts";
import type { SweepOptions, SweepResult } from "../sweep-result.ts";
import { pageOfTasks } from "../task-page.ts";
import { ROW_FORMAT } from "../task-row.ts";
import { plain } from "./change-argument.ts";
import { CALL_MS_MAX, failureOf, makePool, unavailable } from "./connection.ts";
import { GroupCommitter } from "./group-committer.ts";
import { migrateDatabase } from "./migrations.ts";
import { PostgresClaims } from "./postgres-claims.ts";
import { PostgresCredentials } from "./postgres-credentials.ts";
import { PostgresDeliveries } from "./postgres-deliveries.ts";
import { PostgresReader, type Query } from "./postgres-reader.ts";
import { PostgresRecovery } from "./postgres-recovery.ts";
import { PostgresSweeper } from "./postgres-sweeper.ts";
import { endConnectionsOf, markConnection } from "./server-connections.ts";
import { serverIdIn } from "./server-id.ts";
import { ServerLease } from "./server-lease.ts";
import { inTransaction } from "./transaction.ts";
import { WriteConnection } from "./write-connection.ts";

/** Connections of one server that read, claim and sweep; one more writes groups, and one says that it lives. */
const CONNECTIONS_MAX = 7;

/** A read that fails so soon, in milliseconds, is tried again. */
const AT_ONCE_MS = 200;

/** Tasks in PostgreSQL, in a schema of their own (`genai`), which several servers may share. Plain SQL through `pg`: a transition is
 *  one call of a function in the database, which no query builder would make shorter or safer. Only the database's clock decides. */
export class PostgresTaskStore implements ServerStore {
  readonly #lock: FolderLock;
  readonly #pool: pg.Pool;
  readonly #writing: WriteConnection;
  readonly #serverId: string;
  readonly #lease: ServerLease;
  readonly #committer: GroupCommitter;
  readonly #claims: PostgresClaims;
  readonly #recovery: PostgresRecovery;
  readonly #sweeper: PostgresSweeper;
  readonly #reader: PostgresReader;
  readonly #deliveries: PostgresDeliveries;
  readonly #credentials: PostgresCredentials;

  private constructor(lock: FolderLock, pool: pg.Pool, writing: WriteConnection, serverId: string, lease: ServerLease) {
    this.#lock = lock;
    this.#pool = pool;
    this.#writing = writing;
    this.#serverId = serverId;
    this.#lease = lease;
    this.#committer = new GroupCommitter(pool, writing, serverId);
    this.#claims = new PostgresClaims(pool, serverId);
    this.#recovery = new PostgresRecovery(pool, serverId);
    this.#sweeper = new PostgresSweeper(pool, serverId);
    const query: Query = (name, text, values) => this.#query(name, text, values);
    this.#reader = new PostgresReader(query);
    this.#deliveries = new PostgresDeliveries(pool, query);
    this.#credentials = new PostgresCredentials(pool, query);
  }

  /** The folder names this server over its restarts: what it held when it died it has back at once. Two processes under one name
   *  would take each other's tasks, so the folder is locked.
   *  Throws {@link StoreRefused} where the database is out of reach or newer than this program, or the folder is in use. */
  static async open(url: string, folder: string): Promise<PostgresTaskStore> {
    const lock = FolderLock.acquire(folder);
    let pool: pg.Pool | undefined;
    let lease: ServerLease | undefined;
    try {
      await migrateDatabase(url);
      const serverId = serverIdIn(folder);
      await endConnectionsOf(url, serverId);
      const opened = (client: pg.ClientBase) => markConnection(client, serverId);
      pool = makePool(url, { max: CONNECTIONS_MAX, callMs: CALL_MS_MAX, opened });
      lease = new ServerLease(makePool(url, { max: 1, callMs: CALL_MS_MAX, opened }), serverId);
      await lease.begin();
      return new PostgresTaskStore(lock, pool, new WriteConnection(url, serverId), serverId, lease);
    } catch (error) {
      await lease?.end().catch(() => undefined);
      await pool?.end();
      lock.release();
      if (error instanceof StoreRefused) throw error;
      const message = `The database of DATABASE_URL cannot be used: ${errorReason(error)}.`;
      throw new StoreRefused("unreachable", message, { cause: error });
    }
  }

  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    return this.#committer.commit(changes);
  }

  task(taskId: string): Promise<StoredTask | null> {
    return this.#reader.task(taskId);
  }

  pipelineOf(taskId: string): Promise<Pipeline | null> {
    return this.#reader.pipelineOf(taskId);
  }

  attempt(attemptId: string): Promise<StoredAttempt | null> {
    return this.#reader.attempt(attemptId);
  }

  attemptsOf(taskId: string): Promise<readonly StoredAttempt[]> {
    return this.#reader.attemptsOf(taskId);
  }

  tasksOf(userId: string, filter: TaskListFilter, limit: number, cursor: string | null): Promise<TaskPage> {
    return pageOfTasks(
      (states, before, rows) => this.#reader.tasksBefore(userId, states, before, rows),
      filter,
      limit,
      cursor,
    );
  }

  eventsOf(taskId: string, afterNumber: number, limit: number): Promise<readonly TaskEvent[]> {
    return this.#reader.eventsOf(taskId, afterNumber, limit);
  }

  eventsOfUser(userId: string, afterPosition: number, limit: number): Promise<readonly TaskEvent[]> {
    return this.#reader.eventsOfUser(userId, afterPosition, limit);
  }

  lastPosition(): Promise<number> {
    return this.#reader.lastPosition();
  }

  usageOf(userId: string): Promise<Usage> {
    return this.#reader.usageOf(userId);
  }

  idempotency(userId: string, key: string): Promise<{ readonly taskId: string; readonly bodyHash: string } | null> {
    return this.#reader.idempotency(userId, key);
  }

  async tell(taskId: string): Promise<boolean> {
    const told = await this.#query("tell", "UPDATE tasks SET told = true WHERE task_id = $1 RETURNING 1", [
      plain(taskId),
    ]);
    return told.length > 0;
  }

  claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    return this.#answered(() => this.#claims.claim(request));
  }

  backlog(): Promise<readonly ClassBacklog[]> {
    return this.#reader.backlog();
  }

  async queuedOf(userId: string): Promise<number> {
    return (await this.#reader.usageOf(userId)).tasks.queued;
  }

  inputBytesOf(userId: string): Promise<number> {
    return this.#reader.inputBytesOf(userId);
  }

  recover(): AsyncIterable<readonly RecoveredTask[]> {
    return batches((after) => this.#answered(() => this.#recovery.ownBatch(after)));
  }

  held(taskId: string): Promise<RecoveredTask | null> {
    return this.#reader.held(taskId, this.#serverId);
  }

  async *takeOver(): AsyncIterable<readonly RecoveredTask[]> {
    const lost = await this.#answered(() => this.#recovery.lostBatch());
    if (lost.length > 0) yield lost;
    if (!(await this.#answered(() => this.#lease.tellsWhoIsGone()))) return;
    yield* batches((after) => this.#answered(() => this.#recovery.batchOfTheGone(after)));
  }

  sweep(options: SweepOptions): Promise<SweepResult> {
    return this.#answered(async () => this.#sweeper.sweep(options, await this.#lease.tellsWhoIsGone()));
  }

  outboxDue(limit: number, leaseMs: number): Promise<readonly OutboxEntry[]> {
    return this.#answered(() =>
      inTransaction(this.#pool, async (client) => {
        const { rows } = await client.query<OutboxRow & { seq: number }>(
          `SELECT seq, outbox.created_at_ms AS "enteredAtMs", tries, ${TASK_COLUMNS}
           FROM ${TASK_TABLES} JOIN outbox ON outbox.task_seq = tasks.seq
           WHERE due_at_ms <= now_ms() AND format <= ${ROW_FORMAT} ORDER BY due_at_ms LIMIT $1 FOR NO KEY UPDATE OF outbox SKIP LOCKED`,
          [limit],
        );
        const leased = rows.map((row) => row.seq);
        await client.query("UPDATE outbox SET due_at_ms = now_ms() + $2 WHERE task_seq = ANY($1::bigint[])", [
          leased,
          leaseMs,
        ]);
        return rows.map(outboxEntry);
      }),
    );
  }

  outboxTried(outboxId: string, outcome: TryOutcome): Promise<void> {
    return this.#answered(() => this.#deliveries.tried(outboxId, outcome));
  }

  outboxDeferred(deliveryIds: readonly string[], forMs: number): Promise<void> {
    return this.#deliveries.defer(deliveryIds, forMs);
  }

  delivery(deliveryId: string): Promise<Delivery | null> {
    return this.#deliveries.delivery(deliveryId);
  }

  deliveriesOf(
    userId: string,
    state: DeliveryState | null,
    limit: number,
    before: string | null,
  ): Promise<readonly Delivery[]> {
    return this.#deliveries.deliveriesOf(userId, state, limit, before);
  }

  triesOf(deliveryId: string): Promise<readonly DeliveryTry[]> {
    return this.#deliveries.triesOf(deliveryId);
  }

  webhookBacklog(): Promise<WebhookBacklog> {
    return this.#deliveries.webhookBacklog();
  }

  replayDelivery(deliveryId: string): Promise<boolean> {
    return this.#deliveries.replay(deliveryId);
  }

  replayDeliveries(
    userId: string,
    sinceMs: number,
    untilMs: number,
    state: "delivered" | "dead" | null,
  ): Promise<number> {
    return this.#deliveries.replayAll(userId, sinceMs, untilMs, state);
  }

  sinkIsStopped(key: string): Promise<boolean> {
    return this.#deliveries.sinkIsStopped(key);
  }

  setSinkStopped(key: string, stopped: boolean): Promise<void> {
    return this.#deliveries.setSinkStopped(key, stopped);
  }

  addCredential(credential: NewCredential): Promise<"added" | "taken"> {
    return this.#answered(() => this.#credentials.add(credential));
  }

  redeemEnrolment(enrolmentHash: string, nodeKey: NewCredential): Promise<"redeemed" | "refused" | "taken"> {
    return this.#answered(() => this.#credentials.redeem(enrolmentHash, nodeKey));
  }

  revokeCredential(credentialId: string): Promise<boolean> {
    return this.#answered(() => this.#credentials.revoke(credentialId));
  }

  credentialsAfter(revision: number, limit: number): Promise<readonly Credential[]> {
    return this.#credentials.after(revision, limit);
  }

  readDocument(name: string): Promise<string | null> {
    return this.#reader.readDocument(name);
  }

  async writeDocument(name: string, text: string): Promise<void> {
    await this.#query(
      "writeDocument",
      "INSERT INTO documents VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET text = excluded.text",
      [name, text],
    );
  }

  async ping(): Promise<void> {
    await this.#query(
      "ping",
      "INSERT INTO pings VALUES ($1, now_ms()) ON CONFLICT (server_id) DO UPDATE SET at_ms = excluded.at_ms",
      [this.#serverId],
    );
  }

  async close(): Promise<void> {
    await this.#committer.idle();
    await this.#lease.end().catch(() => undefined);
    await this.#writing.close();
    await this.#pool.end();
    this.#lock.release();
  }

  /** Reads after what nobody knew of is settled, so a lookup by key says how a broken commit ended. Again where the connection was broken
   *  before anybody knew: after a restart of the database each one in the pool is. */
  #query<Row extends QueryResultRow>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    const read = async (): Promise<Row[]> => {
      await this.#committer.fence();
      return (await this.#pool.query<Row>({ name, text, values: [...values] })).rows;
    };
    const startedAtMs = performance.now();
    return this.#answered(async () => {
      for (let tries = 1; ; tries++) {
        try {
          return await read();
        } catch (error) {
          const isLast = tries > CONNECTIONS_MAX || performance.now() - startedAtMs > AT_ONCE_MS;
          if (isLast || !failureOf(error).retry) throw error;
        }
      }
    });
  }

  async #answered<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      throw unavailable(error, failureOf(error).failure);
    }
  }
}
