import { z } from "zod";
import type { Operation } from "../openapi/operation.ts";
import { CreateTaskBody } from "./create-task.ts";
import { STANDARD_EXAMPLE, taskParams } from "./operation-parts.ts";
import { V2Task } from "./task.ts";
import { TaskListQuery, V2TaskPage } from "./task-list.ts";

const idempotencyKey = z.string().min(1).max(255).optional().meta({
  description: "Makes a repeat harmless: the same key within 24 hours gives the same task.",
});

const prefer = z.string().max(200).optional().meta({
  description: "`wait=N`: answer once the task has ended, or after N seconds (at most 300).",
});

const taskLocation = z.object({
  location: z
    .string()
    .meta({ description: "The task's address.", example: "/v2/tasks/0199a0b0-0000-7000-8000-000000000000" }),
});

/** Tasks: made, looked at, ended, tried again. */
export const TASK_OPERATIONS = {
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
    problems: ["task_not_found", "task_not_ended", "input_not_kept", "idempotency_key_reused", "queue_full"],
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
} as const satisfies Readonly<Record<string, Operation>>;
