import { z } from "zod";
import { TaskId } from "../ids.ts";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "./task-list.ts";
import { Instant } from "./task-state.ts";

const DeliveryState = z.enum(["waiting", "delivered", "dead"]).meta({
  description: "`waiting`: it is tried, now or later. `dead`: given up, until it is replayed.",
});

/** A webhook and how far it has come. */
export const V2Delivery = z
  .object({
    id: z.string().meta({ description: "Its task's id, and the `webhook-id` of every try." }),
    url: z.string(),
    state: DeliveryState,
    tries: z.int().meta({ description: "Since the task ended, or since it was last replayed." }),
    createdAt: Instant,
    nextTryAt: Instant.nullable(),
    note: z.string().meta({ description: "What the last try came to; empty when it went well." }),
  })
  .meta({ id: "Delivery" });
export type V2Delivery = z.infer<typeof V2Delivery>;

/** A webhook with its newest tries. */
export const V2DeliveryLog = V2Delivery.extend({
  log: z.array(
    z.object({
      number: z.int(),
      at: Instant,
      durationMs: z.int(),
      status: z.int().nullable().meta({ description: "Of the sink's answer; null for none." }),
      note: z.string(),
    }),
  ),
}).meta({ id: "DeliveryLog" });
export type V2DeliveryLog = z.infer<typeof V2DeliveryLog>;

export const DeliveryListQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIST_LIMIT_MAX)
    .default(LIST_LIMIT_DEFAULT)
    .meta({ override: { type: "integer" } }),
  cursor: TaskId.optional().meta({ description: "`next` of the page before." }),
  state: DeliveryState.optional(),
});

export const V2DeliveryPage = z
  .object({ deliveries: z.array(V2Delivery), next: z.string().nullable() })
  .meta({ id: "DeliveryPage" });

/** Which of the caller's webhooks are to be sent again. */
export const ReplayBody = z
  .strictObject({
    since: z.iso.datetime({ offset: true }).meta({ description: "Tasks that ended then or later." }),
    until: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "Tasks that ended until then. Default now." }),
    state: z.enum(["delivered", "dead"]).optional().meta({ description: "Only these; without it all." }),
  })
  .meta({ id: "Replay" });

export const RotateSecretBody = z
  .strictObject({
    previousValidMs: z
      .int()
      .min(0)
      .max(604_800_000)
      .default(86_400_000)
      .meta({ description: "How long the secret before it goes on signing too. 0 where it leaked." }),
  })
  .meta({ id: "RotateSecret" });

export const V2WebhookSecret = z
  .object({
    secret: z.string().meta({ description: "For a Standard Webhooks library. Told once.", example: "whsec_…" }),
    previousValidUntil: Instant,
  })
  .meta({ id: "WebhookSecret" });
