import type { Pool } from "pg";
import type {
  Delivery,
  DeliveryState,
  DeliveryTry,
  TryOutcome,
  WebhookBacklog,
} from "../../webhooks/delivery-store.ts";
import { TRIES_KEPT_MAX } from "../../webhooks/delivery-store.ts";
import {
  DELIVERY_COLUMNS,
  DELIVERY_TABLES,
  type DeliveryRow,
  decodeDelivery,
  statusesOf,
  TRY_COLUMNS,
} from "../delivery-row.ts";
import { plain } from "./change-argument.ts";
import type { Query } from "./postgres-reader.ts";
import { inTransaction } from "./transaction.ts";

const OF_TASK = "task_seq = (SELECT seq FROM tasks WHERE task_id = $1)";

/** How webhooks fare. */
export class PostgresDeliveries {
  readonly #pool: Pool;
  readonly #query: Query;

  constructor(pool: Pool, query: Query) {
    this.#pool = pool;
    this.#query = query;
  }

  async delivery(deliveryId: string): Promise<Delivery | null> {
    const rows = await this.#query<DeliveryRow>(
      "delivery",
      `SELECT ${DELIVERY_COLUMNS} FROM ${DELIVERY_TABLES} WHERE task_id = $1`,
      [plain(deliveryId)],
    );
    return rows[0] ? decodeDelivery(rows[0]) : null;
  }

  async deliveriesOf(
    userId: string,
    state: DeliveryState | null,
    limit: number,
    before: string | null,
  ): Promise<readonly Delivery[]> {
    // Its states are in the statement, each list a statement of its own: only so the index of the dead ones is seen to lead there.
    const wanted = statusesOf(state);
    const statuses = statusesOf(null).flatMap((status) => (wanted.includes(status) ? [`'${status}'`] : []));
    const rows = await this.#query<DeliveryRow>(
      `deliveriesOf ${state ?? "all"}`,
      `SELECT ${DELIVERY_COLUMNS} FROM ${DELIVERY_TABLES}
       WHERE outbox.user_seq = (SELECT user_seq FROM users WHERE user_id = $1)
         AND task_seq < coalesce((SELECT seq FROM tasks WHERE task_id = $2), 9007199254740991)
         AND status IN (${statuses.join(", ")}) ORDER BY task_seq DESC LIMIT $3`,
      [plain(userId), before, limit],
    );
    return rows.map(decodeDelivery);
  }

  triesOf(deliveryId: string): Promise<readonly DeliveryTry[]> {
    return this.#query<DeliveryTry & Record<string, unknown>>(
      "triesOf",
      `SELECT ${TRY_COLUMNS} FROM webhook_tries WHERE ${OF_TASK} ORDER BY number`,
      [plain(deliveryId)],
    );
  }

  async webhookBacklog(): Promise<WebhookBacklog> {
    const rows = await this.#query<WebhookBacklog & Record<string, unknown>>(
      "webhookBacklog",
      `SELECT count(*) AS waiting, min(created_at_ms) AS "oldestAtMs", (SELECT count(*) FROM outbox WHERE status = 'dead') AS dead
       FROM outbox WHERE due_at_ms IS NOT NULL`,
      [],
    );
    return rows[0] ?? { waiting: 0, dead: 0, oldestAtMs: null };
  }

  tried(outboxId: string, { state, retryInMs, atMs, durationMs, httpStatus, note }: TryOutcome): Promise<void> {
    return inTransaction(this.#pool, async (client) => {
      const waits = state === "waiting";
      const { rows } = await client.query<{ seq: number }>(
        `UPDATE outbox SET status = $2, due_at_ms = CASE WHEN $3 THEN now_ms() + $4::bigint END, note = $5, tries = tries + 1
         WHERE ${OF_TASK} RETURNING task_seq AS seq`,
        [outboxId, waits ? "failed" : state, waits, retryInMs, plain(note)],
      );
      const seq = rows[0]?.seq;
      if (seq === undefined) return;
      await client.query(
        `INSERT INTO webhook_tries SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM webhook_tries WHERE task_seq = $1`,
        [seq, atMs, durationMs, httpStatus, plain(note)],
      );
      await client.query(
        "DELETE FROM webhook_tries WHERE task_seq = $1 AND number <= (SELECT max(number) - $2 FROM webhook_tries WHERE task_seq = $1)",
        [seq, TRIES_KEPT_MAX],
      );
    });
  }

  async defer(deliveryIds: readonly string[], forMs: number): Promise<void> {
    await this.#query(
      "outboxDeferred",
      `UPDATE outbox SET due_at_ms = now_ms() + $2::bigint WHERE due_at_ms IS NOT NULL
         AND task_seq IN (SELECT seq FROM tasks WHERE task_id = ANY($1::text[]))`,
      [deliveryIds, forMs],
    );
  }

  async replay(deliveryId: string): Promise<boolean> {
    const rows = await this.#query(
      "replayDelivery",
      `UPDATE outbox SET status = 'due', due_at_ms = now_ms(), tries = 0 WHERE ${OF_TASK} RETURNING 1`,
      [plain(deliveryId)],
    );
    return rows.length === 1;
  }

  async replayAll(
    userId: string,
    sinceMs: number,
    untilMs: number,
    state: "delivered" | "dead" | null,
  ): Promise<number> {
    const rows = await this.#query<{ replayed: number }>(
      "replayDeliveries",
      `WITH again AS (UPDATE outbox SET status = 'due', due_at_ms = now_ms(), tries = 0
         WHERE user_seq = (SELECT user_seq FROM users WHERE user_id = $1) AND created_at_ms BETWEEN $2 AND $3
           AND status = ANY($4::text[]) RETURNING 1)
       SELECT count(*) AS replayed FROM again`,
      [plain(userId), sinceMs, untilMs, statusesOf(state)],
    );
    return rows[0]?.replayed ?? 0;
  }

  async sinkIsStopped(key: string): Promise<boolean> {
    return (await this.#query("sinkIsStopped", "SELECT 1 FROM webhook_stops WHERE key = $1", [key])).length === 1;
  }

  async setSinkStopped(key: string, stopped: boolean): Promise<void> {
    if (stopped) {
      const text =
        "INSERT INTO webhook_stops VALUES ($1, now_ms()) ON CONFLICT (key) DO UPDATE SET at_ms = excluded.at_ms";
      await this.#query("stopSink", text, [key]);
    } else await this.#query("resumeSink", "DELETE FROM webhook_stops WHERE key = $1", [key]);
  }
}
