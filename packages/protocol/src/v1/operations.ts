import { z } from "zod";
import type { Operation } from "../openapi/operation.ts";
import { V1ComfyBody, V1TaskBody } from "./bodies.ts";

/** A refusal in v1's form. `task_id` where a task lives on. */
export const V1Refusal = z
  .object({ ok: z.literal(false), error: z.string(), task_id: z.string().optional() })
  .meta({ id: "V1Refusal" });

const result = z.object({ images: z.array(z.string()) }).nullable();
const status = z.enum(["PENDING", "SUCCESS", "FAILED", "CANCELED"]);
const view = { status, result, error: z.string().optional().meta({ description: "Where it failed." }) };
const stored = z.object({ ok: z.literal(true), message: z.string(), task_id: z.string() });

const idempotency = z.object({ "idempotency-key": z.string().min(1).max(255).optional() });
const creation = {
  method: "POST",
  tag: "v1",
  access: "user",
  counts: "creation",
  headers: idempotency,
  problems: ["invalid_json", "body_too_large", "unsupported_media_type", "idempotency_key_reused", "queue_full"],
} as const;

/** Every route of v1, for the document; v1's own router serves them, quirks included. */
export const V1_OPERATIONS = {
  v1Hello: {
    id: "v1Hello",
    method: "GET",
    path: "/v1/client/hello/",
    tag: "v1",
    summary: "Where nodes register",
    access: "anyone",
    counts: "read",
    answers: {
      200: {
        description: "The WebSocket URL.",
        schema: z.object({ ok: z.literal(true), url: z.string() }),
        example: { ok: true, url: "ws://localhost:8080/" },
      },
    },
    problems: [],
  },
  v1HelloByPost: {
    id: "v1HelloByPost",
    method: "POST",
    path: "/v1/client/hello/",
    tag: "v1",
    summary: "Where nodes register",
    access: "anyone",
    counts: "read",
    answers: {
      200: { description: "The WebSocket URL.", schema: z.object({ ok: z.literal(true), url: z.string() }) },
    },
    problems: [],
  },
  v1Health: {
    id: "v1Health",
    method: "GET",
    path: "/v1/nodes/health/",
    tag: "v1",
    summary: "Whether a node is online",
    access: "anyone",
    counts: "read",
    answers: {
      200: {
        description: "At least one is.",
        schema: z.object({ ok: z.literal(true), status: z.literal("ok"), availableNodesCount: z.int().min(1) }),
      },
      500: {
        description: "None is.",
        schema: z.object({ ok: z.literal(false), status: z.literal("error"), availableNodesCount: z.literal(0) }),
      },
    },
    problems: [],
  },
  v1Generate: {
    ...creation,
    id: "v1Generate",
    path: "/v1/images/generation/",
    summary: "Make pictures and wait for them",
    body: { schema: V1TaskBody, examples: { fox: { standardPipeline: { prompt: "a red fox in the snow" } } } },
    answers: {
      202: {
        description: "The task has ended: with pictures, or with an error.",
        schema: z.union([
          z.object({ ok: z.literal(true), task_id: z.string(), result: z.object({ images: z.array(z.string()) }) }),
          z.object({ ok: z.literal(false), task_id: z.string(), error: z.string() }),
        ]),
      },
    },
    problems: [...creation.problems, "timeout"],
  },
  v1CreateTask: {
    ...creation,
    id: "v1CreateTask",
    path: "/v1/tasks/",
    summary: "Create a task",
    description: "Where both pipelines are given the comfy one is used.",
    body: { schema: V1TaskBody, examples: { fox: { standardPipeline: { prompt: "a red fox in the snow" } } } },
    answers: { 201: { description: "The task is stored.", schema: stored } },
  },
  v1CreateComfyTask: {
    ...creation,
    id: "v1CreateComfyTask",
    path: "/v1/inference/comfyPipeline",
    summary: "Create a task of a ComfyUI graph",
    body: { schema: V1ComfyBody },
    answers: { 202: { description: "The task is stored.", schema: stored } },
  },
  v1GetTask: {
    id: "v1GetTask",
    method: "GET",
    path: "/v1/tasks/{task_id}",
    tag: "v1",
    summary: "Look at a task",
    access: "user",
    counts: "read",
    params: z.object({ task_id: z.string() }),
    answers: {
      201: {
        description: "The task. (Clients assert this status.)",
        schema: z.object({ ok: z.literal(true), ...view }),
      },
    },
    problems: ["forbidden"],
  },
  v1ListTasks: {
    id: "v1ListTasks",
    method: "GET",
    path: "/v1/tasks/",
    tag: "v1",
    summary: "The caller's newest 1,000 tasks",
    access: "user",
    counts: "read",
    answers: {
      200: {
        description: "By id.",
        schema: z.object({ ok: z.literal(true), count: z.int(), data: z.record(z.string(), z.object(view)) }),
      },
    },
    problems: ["forbidden"],
  },
} as const satisfies Readonly<Record<string, Operation>>;
