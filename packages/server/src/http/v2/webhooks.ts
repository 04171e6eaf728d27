import type { V2Delivery, V2Operations } from "@genai/protocol";
import type { Caller } from "../../identity/caller.ts";
import type { Delivery } from "../../webhooks/delivery-store.ts";
import { sinkKey } from "../../webhooks/webhook-deliverer.ts";
import { HttpRefusal } from "../http-refusal.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";
import { instant } from "./v2-view.ts";

export function listDeliveries(context: V2Context): OperationHandler<V2Operations["listDeliveries"]> {
  const { deliveries } = context.options.webhooks;
  return async ({ query: { state, limit, cursor }, caller }) => {
    // One more than asked for tells whether there is a next page.
    const found = await deliveries.deliveriesOf(caller.userId, state ?? null, limit + 1, cursor ?? null);
    const page = found.slice(0, limit);
    const next = found.length > limit ? (page.at(-1)?.deliveryId ?? null) : null;
    return { status: 200, body: { deliveries: page.map(deliveryView), next } };
  };
}

export function getDelivery(context: V2Context): OperationHandler<V2Operations["getDelivery"]> {
  const { deliveries } = context.options.webhooks;
  return async ({ params, caller }) => {
    const delivery = await deliveryOf(context, caller, params.taskId);
    const log = (await deliveries.triesOf(delivery.deliveryId)).map(({ atMs, httpStatus, ...rest }) => {
      return { ...rest, at: instant(atMs), status: httpStatus };
    });
    return { status: 200, body: { ...deliveryView(delivery), log } };
  };
}

export function replayDelivery(context: V2Context): OperationHandler<V2Operations["replayDelivery"]> {
  const { deliveries } = context.options.webhooks;
  return async ({ params, caller }) => {
    const { deliveryId, userId, url } = await deliveryOf(context, caller, params.taskId);
    await deliveries.setSinkStopped(sinkKey(userId, url), false);
    await deliveries.replayDelivery(deliveryId);
    return { status: 200, body: deliveryView(await deliveryOf(context, caller, deliveryId)) };
  };
}

export function replayDeliveries(context: V2Context): OperationHandler<V2Operations["replayDeliveries"]> {
  const { deliveries } = context.options.webhooks;
  return async ({ body: { since, until, state }, caller }) => {
    const untilMs = until === undefined ? context.options.wallMs() : Date.parse(until);
    const replayed = await deliveries.replayDeliveries(caller.userId, Date.parse(since), untilMs, state ?? null);
    return { status: 200, body: { replayed } };
  };
}

export function rotateWebhookSecret(context: V2Context): OperationHandler<V2Operations["rotateWebhookSecret"]> {
  const { secrets } = context.options.webhooks;
  return async ({ body: { previousValidMs }, caller }) => {
    const nowMs = context.options.wallMs();
    const secret = await secrets.rotate(caller.userId, nowMs, previousValidMs);
    return {
      status: 200,
      body: { secret, previousValidUntil: instant(nowMs + previousValidMs) },
      headers: { "Cache-Control": "no-store" },
    };
  };
}

/** The caller's webhook; an administrator has everybody's. */
async function deliveryOf(context: V2Context, caller: Caller, deliveryId: string): Promise<Delivery> {
  const delivery = await context.options.webhooks.deliveries.delivery(deliveryId);
  if (delivery === null || (delivery.userId !== caller.userId && caller.role !== "admin")) {
    throw new HttpRefusal("delivery_not_found", { detail: `there is no webhook of a task ${deliveryId}` });
  }
  return delivery;
}

function deliveryView(delivery: Delivery): V2Delivery {
  const { deliveryId, url, state, tries, createdAtMs, nextTryAtMs, note } = delivery;
  const nextTryAt = nextTryAtMs === null ? null : instant(nextTryAtMs);
  return { id: deliveryId, url, state, tries, createdAt: instant(createdAtMs), nextTryAt, note };
}
