import { createHash } from "node:crypto";
import type { CreateTaskBody, V2Operations } from "@genai/protocol";
import type { Files } from "../multipart-body.ts";
import { traceparentOf } from "../request-tracing.ts";
import { idempotencyOf, submitTask } from "../submission.ts";
import type { OperationHandler } from "./operation-router.ts";
import { taskOfBody } from "./task-of-body.ts";
import type { V2Context } from "./v2-context.ts";

export function createTask(context: V2Context): OperationHandler<V2Operations["createTask"]> {
  const { options } = context;
  return async ({ body, files, headers, caller, request, response }) => {
    const { userId } = caller;
    const task = await taskOfBody(options, body, files, { userId, traceparent: traceparentOf(request) });
    const idempotency = idempotencyOf(headers["idempotency-key"], "POST /v2/tasks", wholeRequest(body, files));
    const submitted = await submitTask(options.tasks, task, idempotency);
    return {
      status: submitted.repeated ? 200 : 201,
      body: await context.view(await context.afterWait(submitted.task, headers.prefer, response), request),
      headers: { Location: `/v2/tasks/${submitted.task.taskId}` },
    };
  };
}

/** What makes two requests the same: the body, and the contents of the files beside it. */
function wholeRequest(body: CreateTaskBody, files: Files): unknown {
  if (files.size === 0) return body;
  const hashes = [...files].map(([name, bytes]) => [name, createHash("sha256").update(bytes).digest("hex")]);
  return { body, files: Object.fromEntries(hashes) };
}
