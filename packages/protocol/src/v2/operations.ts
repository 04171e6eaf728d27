import { z } from "zod";
import { TaskId } from "../ids.ts";
import type { Operation } from "../openapi/operation.ts";
import { CreateTaskBody } from "./create-task.ts";
import { V2Task } from "./task.ts";

const taskParams = z.strictObject({ taskId: TaskId.meta({ description: "A task's id." }) });

/** Longest that `Prefer: wait` may ask for, in seconds. */
export const WAIT_SECONDS_MAX = 300;

const idempotencyKey = z.string().min(1).max(255).optional().meta({
  description: "Makes a repeat harmless: the same key within 24 hours gives the same task.",
  example: "order-4711",
});

export const EVENT_STREAM = "text/event-stream";

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

/** Every route of `/v2`. */
export const V2_OPERATIONS = {
  createTask: {
    id: "createTask",
    method: "POST",
    path: "/v2/tasks",
    tag: "tasks",
    summary: "Create a task",
    description:
      "Stores a task and answers before it runs. Repeat the call with the same `Idempotency-Key` as often as you like.",
    access: "user",
    counts: "creation",
    headers: z.object({ "idempotency-key": idempotencyKey }),
    body: {
      schema: CreateTaskBody,
      examples: {
        standard: {
          pipeline: { type: "standard", prompt: "a red fox in the snow", width: 512, height: 512, steps: 20, seed: 7 },
          maxCost: 15,
        },
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
      "idempotency_key_reused",
      "queue_full",
    ],
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
    answers: { 200: { description: "The task.", schema: V2Task } },
    problems: ["task_not_found"],
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
      200: { description: "The stream.", schema: z.string(), contentType: EVENT_STREAM },
      204: {
        description: "The task has ended and `Last-Event-ID` is its last event: there is nothing to wait for.",
        schema: null,
      },
    },
    problems: ["task_not_found", "event_id_unknown"],
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type V2Operations = typeof V2_OPERATIONS;
export type V2OperationId = keyof V2Operations;
