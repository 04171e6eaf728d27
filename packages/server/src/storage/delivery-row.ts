import type { Delivery, DeliveryState } from "../webhooks/delivery-store.ts";

/** An outbox row as a delivery. `due` and `failed` both wait: they differ in whether it was tried. */
export interface DeliveryRow extends Omit<Delivery, "state"> {
  readonly status: "due" | "failed" | "delivered" | "dead";
}

/** Columns of a {@link DeliveryRow}; goes with {@link DELIVERY_TABLES}. */
export const DELIVERY_COLUMNS = `task_id AS "deliveryId", user_id AS "userId", webhook AS url, status, outbox.created_at_ms AS "createdAtMs",
  tries, due_at_ms AS "nextTryAtMs", note`;

export const DELIVERY_TABLES =
  "outbox JOIN tasks ON tasks.seq = outbox.task_seq JOIN users ON users.user_seq = outbox.user_seq";

export const TRY_COLUMNS = `number, at_ms AS "atMs", duration_ms AS "durationMs", http_status AS "httpStatus", note`;

export function decodeDelivery({ status, ...row }: DeliveryRow): Delivery {
  return { ...row, state: status === "delivered" || status === "dead" ? status : "waiting" };
}

/** The statuses that stand for a state. */
export function statusesOf(state: DeliveryState | null): readonly DeliveryRow["status"][] {
  if (state === null) return ["due", "failed", "delivered", "dead"];
  return state === "waiting" ? ["due", "failed"] : [state];
}
