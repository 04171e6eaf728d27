import type { V2Operations } from "@genai/protocol";
import { retriedTask } from "../../tasks/new-task.ts";
import type { StoredTask } from "../../tasks/stored-task.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { traceparentOf } from "../request-tracing.ts";
import { idempotencyOf, submitTask } from "../submission.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

export function cancelTask(context: V2Context): OperationHandler<V2Operations["cancelTask"]> {
  return async ({ params, caller, request }) => {
    await context.taskOf(caller, params.taskId);
    const outcome = await context.options.tasks.cancel(params.taskId);
    switch (outcome.type) {
      case "canceled":
      case "ended":
        return { status: 200, body: await context.view(outcome.task, request) };
      case "unknown":
        throw notFound(params.taskId);
      case "unavailable":
        throw new HttpRefusal("unavailable", { retryAfterMs: outcome.retryAfterMs });
    }
  };
}

/** An ended task again, as a new one. */
export function retryTask(context: V2Context): OperationHandler<V2Operations["retryTask"]> {
  const { store, tasks, newTaskId, wallMs } = context.options;
  return async ({ params, headers, caller, request }) => {
    const ended = mustHaveEnded(await context.taskOf(caller, params.taskId));
    const pipeline = await store.pipelineOf(ended.taskId);
    if (pipeline === null) throw new HttpRefusal("input_not_kept", { taskId: ended.taskId });
    const born = { taskId: newTaskId(), nowMs: wallMs(), traceparent: traceparentOf(request) };
    const task = retriedTask(ended, pipeline, born);
    const idempotency = idempotencyOf(headers["idempotency-key"], `POST /v2/tasks/${ended.taskId}/retry`, {});
    const submitted = await submitTask(tasks, task, idempotency);
    return {
      status: submitted.repeated ? 200 : 201,
      body: await context.view(submitted.task, request),
      headers: { Location: `/v2/tasks/${submitted.task.taskId}` },
    };
  };
}

export function deleteTask(context: V2Context): OperationHandler<V2Operations["deleteTask"]> {
  return async ({ params, caller }) => {
    const { taskId } = mustHaveEnded(await context.taskOf(caller, params.taskId));
    // The store notes the pictures' keys as nobody's in the same transaction; the sweep takes the bytes.
    const [outcome] = await context.options.store.commit([{ type: "taskDeleted", taskId }]);
    if (outcome?.type === "conflict") throw notFound(taskId);
    return { status: 204, body: null };
  };
}

function mustHaveEnded(task: StoredTask): StoredTask {
  if (task.settledAtMs !== null) return task;
  throw new HttpRefusal("task_not_ended", {
    detail: `task ${task.taskId} is ${task.state}; cancel it first`,
    taskId: task.taskId,
  });
}

function notFound(taskId: string): HttpRefusal {
  return new HttpRefusal("task_not_found", { detail: `there is no task ${taskId}` });
}
