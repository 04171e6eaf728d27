import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import type { Database } from "better-sqlite3";
import type { Credential, NewCredential } from "../../identity/credential-store.ts";
import { inTime } from "../../in-time.ts";
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
import { errorReason } from "../error-code.ts";
import { FolderLock } from "../folder-lock.ts";
import { batches, type RecoveredTask } from "../recovered-task.ts";
import type { ServerStore } from "../server-store.ts";
import { anchoredClock } from "../store-clock.ts";
import type { SweepOptions, SweepResult } from "../sweep-result.ts";
import { pageOfTasks } from "../task-page.ts";
import { connect, inspect, migrate } from "./database-file.ts";
import { GuardReader } from "./guard-reader.ts";
import { Reader } from "./reader.ts";
import { WriterClient } from "./writer-client.ts";
import type { WriterCall, WriterCalls } from "./writer-protocol.ts";

/** Tasks in one SQLite file, `tasks.db` in the folder, of which this process is the only user. One thread of its own writes;
 *  lookups are answered from a second connection at once. */
export class SqliteTaskStore implements ServerStore {
  readonly #lock: FolderLock;
  readonly #database: Database;
  readonly #reader: Reader;
  readonly #guardReader: GuardReader;
  readonly #writer: WriterClient;

  private constructor(lock: FolderLock, database: Database, writer: WriterClient) {
    this.#lock = lock;
    this.#database = database;
    this.#reader = new Reader(database, anchoredClock());
    this.#guardReader = new GuardReader(database);
    this.#writer = writer;
  }

  /** Makes the folder where there is none, and brings the schema up to date.
   *  Throws {@link StoreRefused} where the store is in use, damaged, newer than this program or not writable. */
  static async open(folder: string): Promise<SqliteTaskStore> {
    const lock = FolderLock.acquire(folder);
    let database: Database | undefined;
    try {
      const file = join(folder, "tasks.db");
      inspect(file);
      database = connect(file);
      migrate(database, file);
      return new SqliteTaskStore(lock, database, await WriterClient.start(file));
    } catch (error) {
      database?.close();
      lock.release();
      throw error;
    }
  }

  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    return this.#writer.commit(changes);
  }

  async task(taskId: string): Promise<StoredTask | null> {
    return this.#read(() => this.#reader.task(taskId));
  }

  async pipelineOf(taskId: string): Promise<Pipeline | null> {
    return this.#read(() => this.#reader.pipelineOf(taskId));
  }

  async attempt(attemptId: string): Promise<StoredAttempt | null> {
    return this.#read(() => this.#reader.attempt(attemptId));
  }

  async attemptsOf(taskId: string): Promise<readonly StoredAttempt[]> {
    return this.#read(() => this.#reader.attemptsOf(taskId));
  }

  tasksOf(userId: string, filter: TaskListFilter, limit: number, cursor: string | null): Promise<TaskPage> {
    return pageOfTasks(
      async (states, before, rows) => this.#read(() => this.#reader.tasksBefore(userId, states, before, rows)),
      filter,
      limit,
      cursor,
    );
  }

  async eventsOf(taskId: string, afterNumber: number, limit: number): Promise<readonly TaskEvent[]> {
    return this.#read(() => this.#reader.eventsOf(taskId, afterNumber, limit));
  }

  async eventsOfUser(userId: string, afterPosition: number, limit: number): Promise<readonly TaskEvent[]> {
    return this.#read(() => this.#reader.eventsOfUser(userId, afterPosition, limit));
  }

  async lastPosition(): Promise<number> {
    return this.#read(() => this.#reader.lastPosition());
  }

  async usageOf(userId: string): Promise<Usage> {
    return this.#read(() => this.#reader.usageOf(userId));
  }

  async idempotency(
    userId: string,
    key: string,
  ): Promise<{ readonly taskId: string; readonly bodyHash: string } | null> {
    return this.#read(() => this.#reader.idempotency(userId, key));
  }

  tell(taskId: string): Promise<boolean> {
    return this.#write("tell", { taskId });
  }

  claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    return this.#writer.call("claim", request);
  }

  async backlog(): Promise<readonly ClassBacklog[]> {
    return this.#read(() => this.#reader.backlog());
  }

  async queuedOf(userId: string): Promise<number> {
    return this.#read(() => this.#reader.queuedOf(userId));
  }

  async inputBytesOf(userId: string): Promise<number> {
    return this.#read(() => this.#reader.inputBytesOf(userId));
  }

  recover(): AsyncIterable<readonly RecoveredTask[]> {
    return batches((after) => this.#writer.call("recover", { after }));
  }

  async held(taskId: string): Promise<RecoveredTask | null> {
    return this.#read(() => this.#reader.held(taskId));
  }

  /** The folder's lock keeps every other server out. */
  async *takeOver(): AsyncIterable<readonly RecoveredTask[]> {}

  sweep(options: SweepOptions): Promise<SweepResult> {
    return this.#writer.call("sweep", options);
  }

  outboxDue(limit: number, leaseMs: number): Promise<readonly OutboxEntry[]> {
    return this.#writer.call("outboxDue", { limit, leaseMs });
  }

  async outboxTried(outboxId: string, outcome: TryOutcome): Promise<void> {
    await this.#writer.call("outboxTried", { outboxId, outcome });
  }

  async outboxDeferred(deliveryIds: readonly string[], forMs: number): Promise<void> {
    await this.#writer.call("outboxDeferred", { deliveryIds, forMs });
  }

  async delivery(deliveryId: string): Promise<Delivery | null> {
    return this.#read(() => this.#guardReader.delivery(deliveryId));
  }

  async deliveriesOf(
    userId: string,
    state: DeliveryState | null,
    limit: number,
    before: string | null,
  ): Promise<readonly Delivery[]> {
    return this.#read(() => this.#guardReader.deliveriesOf(userId, state, limit, before));
  }

  async triesOf(deliveryId: string): Promise<readonly DeliveryTry[]> {
    return this.#read(() => this.#guardReader.triesOf(deliveryId));
  }

  async webhookBacklog(): Promise<WebhookBacklog> {
    return this.#read(() => this.#guardReader.webhookBacklog());
  }

  replayDelivery(deliveryId: string): Promise<boolean> {
    return this.#write("replayDelivery", { deliveryId });
  }

  replayDeliveries(
    userId: string,
    sinceMs: number,
    untilMs: number,
    state: "delivered" | "dead" | null,
  ): Promise<number> {
    return this.#write("replayDeliveries", { userId, sinceMs, untilMs, state });
  }

  async sinkIsStopped(key: string): Promise<boolean> {
    return this.#read(() => this.#guardReader.sinkIsStopped(key));
  }

  async setSinkStopped(key: string, stopped: boolean): Promise<void> {
    await this.#writer.call("setSinkStopped", { key, stopped });
  }

  addCredential(credential: NewCredential): Promise<"added" | "taken"> {
    return this.#write("addCredential", credential);
  }

  redeemEnrolment(enrolmentHash: string, nodeKey: NewCredential): Promise<"redeemed" | "refused" | "taken"> {
    return this.#write("redeemEnrolment", { enrolmentHash, nodeKey });
  }

  revokeCredential(credentialId: string): Promise<boolean> {
    return this.#write("revokeCredential", { credentialId });
  }

  async credentialsAfter(revision: number, limit: number): Promise<readonly Credential[]> {
    return this.#read(() => this.#guardReader.credentialsAfter(revision, limit));
  }

  async readDocument(name: string): Promise<string | null> {
    return this.#read(() => this.#reader.readDocument(name));
  }

  async writeDocument(name: string, text: string): Promise<void> {
    await this.#writer.call("writeDocument", { name, text });
  }

  async ping(): Promise<void> {
    await this.#writer.call("ping", null);
  }

  async close(): Promise<void> {
    await this.#writer.close();
    if (this.#database.open) this.#database.close();
    this.#lock.release();
  }

  /** A write that somebody waits for. Where the disk takes too long its outcome is unknown: it may still come to be. */
  async #write<Call extends WriterCall>(
    call: Call,
    request: WriterCalls[Call]["request"],
  ): Promise<WriterCalls[Call]["reply"]> {
    const answer = await inTime<{ readonly reply: WriterCalls[Call]["reply"] } | null>(
      this.#writer.call(call, request).then((reply) => ({ reply })),
      () => null,
    );
    if (answer === null) throw new StoreUnavailable("The disk does not answer.", "unknown");
    return answer.reply;
  }

  #read<Result>(lookup: () => Result): Result {
    try {
      return lookup();
    } catch (error) {
      throw new StoreUnavailable(`The store cannot be read: ${errorReason(error)}`, "rolled_back", { cause: error });
    }
  }
}
