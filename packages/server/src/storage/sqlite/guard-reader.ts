import type { Database, Statement } from "better-sqlite3";
import type { Credential } from "../../identity/credential-store.ts";
import type { Delivery, DeliveryState, DeliveryTry, WebhookBacklog } from "../../webhooks/delivery-store.ts";
import { CREDENTIAL_COLUMNS } from "../credential-row.ts";
import {
  DELIVERY_COLUMNS,
  DELIVERY_TABLES,
  type DeliveryRow,
  decodeDelivery,
  statusesOf,
  TRY_COLUMNS,
} from "../delivery-row.ts";

/** Reads of webhooks and credentials, each short. */
export class GuardReader {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#sql = prepare(database);
  }

  delivery(deliveryId: string): Delivery | null {
    const row = this.#sql.delivery.get(deliveryId);
    return row ? decodeDelivery(row) : null;
  }

  deliveriesOf(userId: string, state: DeliveryState | null, limit: number, before: string | null): readonly Delivery[] {
    return this.#sql.deliveries
      .all(userId, before, Number.MAX_SAFE_INTEGER, JSON.stringify(statusesOf(state)), limit)
      .map(decodeDelivery);
  }

  triesOf(deliveryId: string): readonly DeliveryTry[] {
    return this.#sql.tries.all(deliveryId);
  }

  webhookBacklog(): WebhookBacklog {
    return this.#sql.backlog.get() ?? { waiting: 0, dead: 0, oldestAtMs: null };
  }

  sinkIsStopped(key: string): boolean {
    return this.#sql.stopped.get(key) !== undefined;
  }

  credentialsAfter(revision: number, limit: number): readonly Credential[] {
    return this.#sql.credentials.all(revision, limit);
  }
}

function prepare(database: Database) {
  const statement = <Row>(sql: string): Statement<unknown[], Row> => database.prepare<unknown[], Row>(sql);
  return {
    delivery: statement<DeliveryRow>(`SELECT ${DELIVERY_COLUMNS} FROM ${DELIVERY_TABLES} WHERE task_id = ?`),
    deliveries: statement<DeliveryRow>(
      `SELECT ${DELIVERY_COLUMNS} FROM ${DELIVERY_TABLES}
       WHERE outbox.user_seq = (SELECT user_seq FROM users WHERE user_id = ?)
         AND task_seq < coalesce((SELECT seq FROM tasks WHERE task_id = ?), ?)
         AND status IN (SELECT value FROM json_each(?)) ORDER BY task_seq DESC LIMIT ?`,
    ),
    tries: statement<DeliveryTry>(
      `SELECT ${TRY_COLUMNS} FROM webhook_tries WHERE task_seq = (SELECT seq FROM tasks WHERE task_id = ?) ORDER BY number`,
    ),
    backlog: statement<WebhookBacklog>(
      `SELECT count(*) AS waiting, min(created_at_ms) AS oldestAtMs, (SELECT count(*) FROM outbox WHERE status = 'dead') AS dead
       FROM outbox WHERE due_at_ms IS NOT NULL`,
    ),
    stopped: statement<unknown>("SELECT 1 FROM webhook_stops WHERE key = ?"),
    credentials: statement<Credential>(
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials WHERE revision > ? ORDER BY revision LIMIT ?`,
    ),
  };
}
