import { z } from "zod";
import { NodeId, TaskId } from "../ids.ts";
import type { Operation } from "../openapi/operation.ts";
import { CreateTaskBody } from "./create-task.ts";
import {
  CreateEnrolmentBody,
  CreateKeyBody,
  EnrolNodeBody,
  V2ApiKey,
  V2NewApiKey,
  V2NewEnrolment,
  V2NodeKey,
} from "./credentials.ts";
import { V2Explanation } from "./explain.ts";
import { V2Model, V2Node } from "./nodes.ts";
import { V2Queue } from "./queue.ts";
import { V2Task } from "./task.ts";
import { TaskListQuery, V2TaskPage } from "./task-list.ts";
import { Sha256, V2Upload } from "./upload.ts";
import { V2Usage } from "./usage.ts";
import {
  DeliveryListQuery,
  ReplayBody,
  RotateSecretBody,
  V2Delivery,
  V2DeliveryLog,
  V2DeliveryPage,
  V2WebhookSecret,
} from "./webhooks.ts";

const taskParams = z.strictObject({ taskId: TaskId.meta({ description: "A task's id." }) });

const nodeParams = z.strictObject({ nodeId: NodeId.meta({ description: "A node's id." }) });

const idempotencyKey = z.string().min(1).max(255).optional().meta({
  description: "Makes a repeat harmless: the same key within 24 hours gives the same task.",
});

const prefer = z.string().max(200).optional().meta({
  description: "`wait=N`: answer once the task has ended, or after N seconds (at most 300).",
});

const EVENT_STREAM = "text/event-stream";

/** A stream is text; what its events hold is described beside it. */
const EventStream = z.string().meta({
  override: {
    type: "string",
    contentMediaType: EVENT_STREAM,
    contentSchema: {
      anyOf: ["StateEvent", "ProgressEvent", "PreviewEvent"].map((name) => ({ $ref: `#/components/schemas/${name}` })),
    },
  },
});

const lastEventId = z
  .string()
  .max(20)
  .optional()
  .meta({ description: "Resume after this event. The ids of `state` events." });

const taskLocation = z.object({
  location: z
    .string()
    .meta({ description: "The task's address.", example: "/v2/tasks/0199a0b0-0000-7000-8000-000000000000" }),
});

const STANDARD_EXAMPLE = {
  pipeline: { type: "standard", prompt: "a red fox in the snow", width: 512, height: 512, steps: 20, seed: 7 },
  maxCost: 15,
};

/** Every route of `/v2`. */
export const V2_OPERATIONS = {
  createTask: {
    id: "createTask",
    method: "POST",
    path: "/v2/tasks",
    tag: "tasks",
    summary: "Create a task",
    description:
      "Stores a task and answers before it runs. Repeat the call with the same `Idempotency-Key` as often as you like. Input images travel in the JSON, as uploads before it, or beside it in a multipart body.",
    access: "user",
    counts: "creation",
    headers: z.object({ "idempotency-key": idempotencyKey, prefer }),
    body: {
      schema: CreateTaskBody,
      multipartName: "task",
      examples: {
        standard: STANDARD_EXAMPLE,
        comfy: {
          pipeline: {
            type: "comfy",
            workflow: { "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "sd15.safetensors" } } },
          },
        },
      },
    },
    answers: {
      201: { description: "The task is stored.", schema: V2Task, headers: taskLocation },
      200: { description: "The key was used before: the task as it is now.", schema: V2Task, headers: taskLocation },
    },
    problems: [
      "invalid_json",
      "body_too_large",
      "unsupported_media_type",
      "workflow_not_api_format",
      "upload_not_found",
      "upload_not_an_image",
      "idempotency_key_reused",
      "queue_full",
    ],
  },
  listTasks: {
    id: "listTasks",
    method: "GET",
    path: "/v2/tasks",
    tag: "tasks",
    summary: "List the caller's tasks",
    description: "Newest first.",
    access: "user",
    counts: "read",
    query: TaskListQuery,
    answers: { 200: { description: "A page.", schema: V2TaskPage } },
    problems: ["cursor_invalid"],
  },
  getTask: {
    id: "getTask",
    method: "GET",
    path: "/v2/tasks/{taskId}",
    tag: "tasks",
    summary: "Look at a task",
    access: "user",
    counts: "read",
    params: taskParams,
    headers: z.object({ prefer, "if-none-match": z.string().max(1_000).optional() }),
    answers: {
      200: { description: "The task.", schema: V2Task, headers: z.object({ etag: z.string() }) },
      304: { description: "It is as the caller's `If-None-Match` has it.", schema: null },
    },
    problems: ["task_not_found"],
  },
  cancelTask: {
    id: "cancelTask",
    method: "POST",
    path: "/v2/tasks/{taskId}/cancel",
    tag: "tasks",
    summary: "Cancel a task",
    description: "As often as you like. A task that had ended before stays as it is.",
    access: "user",
    counts: "read",
    params: taskParams,
    answers: { 200: { description: "The task as it is now.", schema: V2Task } },
    problems: ["task_not_found"],
  },
  retryTask: {
    id: "retryTask",
    method: "POST",
    path: "/v2/tasks/{taskId}/retry",
    tag: "tasks",
    summary: "Do an ended task again",
    description: "Makes a new task of the same pipeline and terms; the old one stays as it ended.",
    access: "user",
    counts: "creation",
    params: taskParams,
    headers: z.object({ "idempotency-key": idempotencyKey }),
    answers: {
      201: { description: "The new task.", schema: V2Task, headers: taskLocation },
      200: { description: "The key was used before: the task as it is now.", schema: V2Task, headers: taskLocation },
    },
    problems: ["task_not_found", "task_not_ended", "idempotency_key_reused", "queue_full"],
  },
  deleteTask: {
    id: "deleteTask",
    method: "DELETE",
    path: "/v2/tasks/{taskId}",
    tag: "tasks",
    summary: "Delete an ended task and its pictures",
    access: "user",
    counts: "read",
    params: taskParams,
    answers: { 204: { description: "It is gone.", schema: null } },
    problems: ["task_not_found", "task_not_ended"],
  },
  taskEvents: {
    id: "taskEvents",
    method: "GET",
    path: "/v2/tasks/{taskId}/events",
    tag: "tasks",
    summary: "Follow a task",
    description:
      "Server-sent events: `state` (numbered, from the first on or after `Last-Event-ID`), and live `progress` and `preview`. The stream ends after the final state.",
    access: "user",
    counts: "read",
    params: taskParams,
    headers: z.object({ "last-event-id": lastEventId }),
    answers: {
      200: { description: "The stream.", schema: EventStream, contentType: EVENT_STREAM },
      204: {
        description: "The task has ended and `Last-Event-ID` is its last event: there is nothing to wait for.",
        schema: null,
      },
    },
    problems: ["task_not_found", "event_id_unknown"],
  },
  explainTask: {
    id: "explainTask",
    method: "GET",
    path: "/v2/tasks/{taskId}/explain",
    tag: "tasks",
    summary: "Why a task is where it is",
    description: "How every node stands to it: why it cannot have it, or what it would cost and take there.",
    access: "user",
    // It costs as much as there are nodes.
    counts: "creation",
    params: taskParams,
    answers: { 200: { description: "As things are now.", schema: V2Explanation } },
    problems: ["task_not_found"],
  },
  explain: {
    id: "explain",
    method: "POST",
    path: "/v2/explain",
    tag: "tasks",
    summary: "What would become of a task",
    description: "The body is one of `createTask`. Nothing is stored.",
    access: "user",
    counts: "creation",
    body: { schema: CreateTaskBody, examples: { standard: STANDARD_EXAMPLE } },
    answers: { 200: { description: "As things are now.", schema: V2Explanation } },
    problems: [
      "invalid_json",
      "body_too_large",
      "unsupported_media_type",
      "workflow_not_api_format",
      "upload_not_found",
      "upload_not_an_image",
    ],
  },
  createUpload: {
    id: "createUpload",
    method: "POST",
    path: "/v2/uploads",
    tag: "uploads",
    summary: "Bring an input image",
    description:
      "The body is the picture itself: PNG, JPEG, WebP, GIF or AVIF. Its id is its content's, so that the same picture needs to travel only once: look with `getUpload` first.",
    access: "user",
    counts: "creation",
    query: z.strictObject({ sha256: Sha256.optional().meta({ description: "What the bytes must come to." }) }),
    rawBody: ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "application/octet-stream"],
    answers: {
      201: { description: "It is stored.", schema: V2Upload },
      200: { description: "It was there already.", schema: V2Upload },
    },
    problems: ["body_too_large", "unsupported_media_type", "upload_hash_mismatch", "upload_not_an_image"],
  },
  getUpload: {
    id: "getUpload",
    method: "GET",
    path: "/v2/uploads/{uploadId}",
    tag: "uploads",
    summary: "Whether an input image is here",
    access: "user",
    counts: "read",
    params: z.strictObject({ uploadId: Sha256 }),
    answers: { 200: { description: "It is.", schema: V2Upload } },
    problems: ["upload_not_found"],
  },
  userEvents: {
    id: "userEvents",
    method: "GET",
    path: "/v2/events",
    tag: "tasks",
    summary: "Follow all tasks of the caller",
    description:
      "Server-sent events as of one task, of all of them. Without `Last-Event-ID` it begins now, with an event `ready` whose id is where it begins.",
    access: "user",
    counts: "read",
    headers: z.object({ "last-event-id": lastEventId }),
    answers: { 200: { description: "The stream.", schema: EventStream, contentType: EVENT_STREAM } },
    problems: ["event_id_unknown"],
  },
  listNodes: {
    id: "listNodes",
    method: "GET",
    path: "/v2/nodes",
    tag: "fleet",
    summary: "List the nodes",
    access: "user",
    counts: "read",
    answers: { 200: { description: "Every node that is known.", schema: z.object({ nodes: z.array(V2Node) }) } },
    problems: [],
  },
  drainNode: {
    id: "drainNode",
    method: "POST",
    path: "/v2/nodes/{nodeId}/drain",
    tag: "fleet",
    summary: "Give a node no more work",
    description: "What runs is finished. Holds until `undrain`, or until the node comes back as another.",
    access: "admin",
    counts: "read",
    params: nodeParams,
    answers: { 200: { description: "The node as it is now.", schema: V2Node } },
    problems: ["node_not_found"],
  },
  undrainNode: {
    id: "undrainNode",
    method: "POST",
    path: "/v2/nodes/{nodeId}/undrain",
    tag: "fleet",
    summary: "Give a node work again",
    access: "admin",
    counts: "read",
    params: nodeParams,
    answers: { 200: { description: "The node as it is now.", schema: V2Node } },
    problems: ["node_not_found"],
  },
  listModels: {
    id: "listModels",
    method: "GET",
    path: "/v2/models",
    tag: "fleet",
    summary: "List the models that the fleet offers",
    access: "user",
    counts: "read",
    answers: {
      200: {
        description: "By name.",
        schema: z.object({
          models: z.array(V2Model),
          nodesOfferingAll: z.int().meta({ description: "Online nodes that declare no models: they offer all." }),
        }),
      },
    },
    problems: [],
  },
  getQueue: {
    id: "getQueue",
    method: "GET",
    path: "/v2/queue",
    tag: "fleet",
    summary: "What waits, and what there is to serve it",
    description: "Administrators see it by class and by user; others the sums, and their own.",
    access: "user",
    counts: "read",
    answers: { 200: { description: "As things are now.", schema: V2Queue } },
    problems: [],
  },
  getUsage: {
    id: "getUsage",
    method: "GET",
    path: "/v2/usage",
    tag: "account",
    summary: "What the caller has used",
    access: "user",
    counts: "read",
    query: z.strictObject({
      user: z.string().min(1).max(256).optional().meta({ description: "Another user. Administrators only." }),
    }),
    answers: { 200: { description: "The sums.", schema: V2Usage } },
    problems: ["forbidden"],
  },
  listDeliveries: {
    id: "listDeliveries",
    method: "GET",
    path: "/v2/webhooks/deliveries",
    tag: "webhooks",
    summary: "List the caller's webhooks",
    description: "Of tasks that have ended, newest first. `state=dead` are the dead letters.",
    access: "user",
    counts: "read",
    query: DeliveryListQuery,
    answers: { 200: { description: "A page.", schema: V2DeliveryPage } },
    problems: [],
  },
  getDelivery: {
    id: "getDelivery",
    method: "GET",
    path: "/v2/webhooks/deliveries/{taskId}",
    tag: "webhooks",
    summary: "Look at a webhook and its tries",
    access: "user",
    counts: "read",
    params: taskParams,
    answers: { 200: { description: "The webhook.", schema: V2DeliveryLog } },
    problems: ["delivery_not_found"],
  },
  replayDelivery: {
    id: "replayDelivery",
    method: "POST",
    path: "/v2/webhooks/deliveries/{taskId}/replay",
    tag: "webhooks",
    summary: "Send a webhook again",
    description: "Under the same `webhook-id`. A sink that said 410 is asked again too.",
    access: "user",
    counts: "creation",
    params: taskParams,
    answers: { 200: { description: "The webhook as it is now.", schema: V2Delivery } },
    problems: ["delivery_not_found"],
  },
  replayDeliveries: {
    id: "replayDeliveries",
    method: "POST",
    path: "/v2/webhooks/replay",
    tag: "webhooks",
    summary: "Send the webhooks of a time again",
    access: "user",
    counts: "creation",
    body: { schema: ReplayBody, examples: { hour: { since: "2030-01-01T00:00:00Z", state: "dead" } } },
    answers: { 200: { description: "How many.", schema: z.object({ replayed: z.int() }) } },
    problems: ["invalid_json", "body_too_large", "unsupported_media_type"],
  },
  rotateWebhookSecret: {
    id: "rotateWebhookSecret",
    method: "POST",
    path: "/v2/webhooks/secret",
    tag: "webhooks",
    summary: "Make a new secret for the caller's webhooks",
    description: "The one before signs beside it for a day, or as long as `previousValidMs` says.",
    access: "user",
    counts: "creation",
    body: { schema: RotateSecretBody, examples: { day: {} } },
    answers: { 200: { description: "The new secret, told this once.", schema: V2WebhookSecret } },
    problems: ["invalid_json", "body_too_large", "unsupported_media_type"],
  },
  createKey: {
    id: "createKey",
    method: "POST",
    path: "/v2/keys",
    tag: "access",
    summary: "Make an API key",
    access: "admin",
    counts: "creation",
    body: { schema: CreateKeyBody, examples: { shop: { name: "the web shop", user: "shop", weight: 2 } } },
    answers: { 201: { description: "The key, with its secret.", schema: V2NewApiKey } },
    problems: ["invalid_json", "body_too_large", "unsupported_media_type"],
  },
  listKeys: {
    id: "listKeys",
    method: "GET",
    path: "/v2/keys",
    tag: "access",
    summary: "List the API keys",
    description: "Newest first, the newest 1,000.",
    access: "admin",
    counts: "read",
    answers: { 200: { description: "Without their secrets.", schema: z.object({ keys: z.array(V2ApiKey) }) } },
    problems: [],
  },
  revokeKey: {
    id: "revokeKey",
    method: "DELETE",
    path: "/v2/keys/{keyId}",
    tag: "access",
    summary: "Revoke an API key",
    description: "Nobody gets in with it any more, on this server at once, on others of the same database within 2 s.",
    access: "admin",
    counts: "read",
    params: z.strictObject({ keyId: z.string().min(1).max(100) }),
    answers: { 204: { description: "It is revoked.", schema: null } },
    problems: ["key_not_found"],
  },
  createEnrolment: {
    id: "createEnrolment",
    method: "POST",
    path: "/v2/enrolments",
    tag: "access",
    summary: "Let nodes in",
    description: "Makes a token that a node turns into a key of its own at its first start.",
    access: "admin",
    counts: "creation",
    body: { schema: CreateEnrolmentBody, examples: { one: {}, fleet: { uses: 50, validForMs: 3_600_000 } } },
    answers: { 201: { description: "The token.", schema: V2NewEnrolment } },
    problems: ["invalid_json", "body_too_large", "unsupported_media_type"],
  },
  enrolNode: {
    id: "enrolNode",
    method: "POST",
    path: "/v2/nodes/enrol",
    tag: "access",
    summary: "Turn an enrolment token into a node's own key",
    description: "Called by the node. From then on its id is good with this key only.",
    access: "anyone",
    counts: "creation",
    body: { schema: EnrolNodeBody, examples: { node: { token: "genai_ne_…", nodeId: "garage-1" } } },
    answers: { 201: { description: "The key.", schema: V2NodeKey } },
    problems: [
      "invalid_json",
      "body_too_large",
      "unsupported_media_type",
      "unauthenticated",
      "rate_limited",
      "node_has_a_key",
    ],
  },
  revokeNodeKey: {
    id: "revokeNodeKey",
    method: "DELETE",
    path: "/v2/nodes/{nodeId}/key",
    tag: "access",
    summary: "Revoke a node's key",
    description: "The node is disconnected at once, on other servers of the same database within 2 s.",
    access: "admin",
    counts: "read",
    params: nodeParams,
    answers: { 204: { description: "It is revoked.", schema: null } },
    problems: ["key_not_found"],
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type V2Operations = typeof V2_OPERATIONS;
export type V2OperationId = keyof V2Operations;
