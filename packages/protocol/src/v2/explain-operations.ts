import type { Operation } from "../openapi/operation.ts";
import { CreateTaskBody } from "./create-task.ts";
import { V2Explanation } from "./explain.ts";
import { STANDARD_EXAMPLE, taskParams } from "./operation-parts.ts";

/** Why a task waits, and where one would go. */
export const EXPLAIN_OPERATIONS = {
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
} as const satisfies Readonly<Record<string, Operation>>;
