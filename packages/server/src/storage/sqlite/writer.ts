import type { Database } from "better-sqlite3";
import { appliedChange } from "../applied-change.ts";
import { errorCode, errorReason } from "../error-code.ts";
import type { StoreClock } from "../store-clock.ts";
import { ChangeWriter } from "./change-writer.ts";
import { Claims } from "./claims.ts";
import { Credentials } from "./credentials.ts";
import { EventLog } from "./event-log.ts";
import { Names } from "./names.ts";
import { Outbox } from "./outbox.ts";
import { Recovery } from "./recovery.ts";
import { Sweeper } from "./sweeper.ts";
import { Tallies } from "./tallies.ts";
import type { FailedReply, WriterReply, WriterRequest } from "./writer-protocol.ts";

/** The one who writes: carries out requests in order, as many as there are in one transaction. */
export class Writer {
  readonly #database: Database;
  readonly #users: Names;
  readonly #classes: Names;
  readonly #tallies: Tallies;
  readonly #events: EventLog;
  readonly #changes: ChangeWriter;
  readonly #claims: Claims;
  readonly #recovery: Recovery;
  readonly #sweeper: Sweeper;
  readonly #outbox: Outbox;
  readonly #credentials: Credentials;
  readonly #sql;
  /** Commits that failed so far. */
  #failures = 0;

  constructor(database: Database, clock: StoreClock) {
    this.#database = database;
    this.#users = new Names(database, "users");
    this.#classes = new Names(database, "classes");
    this.#tallies = new Tallies(database);
    this.#events = new EventLog(database);
    const parts = { users: this.#users, classes: this.#classes, tallies: this.#tallies, events: this.#events };
    this.#changes = new ChangeWriter(database, parts, clock);
    this.#claims = new Claims(database, this.#classes, this.#tallies, clock);
    this.#recovery = new Recovery(database, this.#tallies);
    this.#sweeper = new Sweeper(database, this.#changes, clock);
    this.#outbox = new Outbox(database, clock);
    this.#credentials = new Credentials(database, clock);
    this.#sql = {
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      rollback: database.prepare("ROLLBACK"),
      document: database.prepare<[string, string]>("INSERT OR REPLACE INTO documents (name, text) VALUES (?, ?)"),
      ping: database.prepare("UPDATE counters SET value = value + 1 WHERE name = 'pings'"),
    };
  }

  /** Replies in the requests' order, once everything is on the disk. Requests that fail together are tried again one by
   *  one, so that a single bad one (a text over SQLite's limit, say) fails alone. */
  run(requests: readonly WriterRequest[]): readonly WriterReply[] {
    const result = this.#transaction(requests);
    if (Array.isArray(result)) return result;
    if (requests.length > 1) return requests.flatMap((request) => this.run([request]));
    if (requests[0]?.call === "commit") this.#failures += 1;
    return [{ ...result, failures: this.#failures }];
  }

  #transaction(requests: readonly WriterRequest[]): WriterReply[] | Omit<FailedReply, "failures"> {
    let committing = false;
    try {
      this.#sql.begin.run();
      const replies = requests.map((request) => this.#replyTo(request));
      this.#tallies.flush();
      this.#events.flush();
      committing = true;
      this.#sql.commit.run();
      this.#events.committed();
      return replies;
    } catch (error) {
      this.#rollBack();
      return {
        ok: false,
        message: errorReason(error),
        outcome: committing && wasIoError(error) ? "unknown" : "rolled_back",
      };
    }
  }

  #replyTo(request: WriterRequest): WriterReply {
    const isBehindFailure = request.call === "commit" && request.request.failures < this.#failures;
    if (!isBehindFailure) return { ok: true, reply: this.#carryOut(request) };
    const message = "what was to be written before it was not";
    return { ok: false, message, outcome: "rolled_back", failures: this.#failures };
  }

  #carryOut(request: WriterRequest) {
    switch (request.call) {
      case "commit":
        return request.request.changes.map((change) => appliedChange(this.#changes.apply(change)));
      case "tell":
        return this.#changes.tell(request.request.taskId);
      case "claim":
        return this.#claims.claim(request.request);
      case "recover":
        this.#changes.forget();
        return this.#recovery.batchAfter(request.request.after);
      case "sweep":
        return this.#sweeper.sweep(request.request);
      case "outboxDue":
        return this.#outbox.due(request.request.limit, request.request.leaseMs);
      case "outboxTried":
        this.#outbox.tried(request.request.outboxId, request.request.outcome);
        return null;
      case "outboxDeferred":
        this.#outbox.defer(request.request.deliveryIds, request.request.forMs);
        return null;
      case "replayDelivery":
        return this.#outbox.replay(request.request.deliveryId);
      case "replayDeliveries":
        return this.#outbox.replayAll(request.request);
      case "setSinkStopped":
        this.#outbox.setSinkStopped(request.request.key, request.request.stopped);
        return null;
      case "addCredential":
        return this.#credentials.add(request.request);
      case "redeemEnrolment":
        return this.#credentials.redeem(request.request.enrolmentHash, request.request.nodeKey);
      case "revokeCredential":
        return this.#credentials.revoke(request.request.credentialId);
      case "writeDocument":
        this.#sql.document.run(request.request.name, request.request.text);
        return null;
      case "ping":
        this.#sql.ping.run();
        return null;
    }
  }

  #rollBack(): void {
    // SQLite has already rolled back by itself after some errors, a full disk for one.
    if (this.#database.inTransaction) this.#sql.rollback.run();
    this.#tallies.clear();
    this.#events.rolledBack();
    this.#changes.forget();
    this.#users.forget();
    this.#classes.forget();
  }
}

/** A failed fsync of the log's last frame: whether it reached the disk is known only to who reads it after a restart. */
function wasIoError(error: unknown): boolean {
  return errorCode(error).startsWith("SQLITE_IOERR");
}
