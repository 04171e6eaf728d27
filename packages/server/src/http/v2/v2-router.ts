import { V2_OPERATIONS } from "@genai/protocol";
import express, { type Router } from "express";
import type { HttpAppOptions } from "../http-options.ts";
import type { RequestLimits } from "../request-limits.ts";
import { createTask } from "./create-task.ts";
import { mountOperations, type OperationHandlers } from "./operation-router.ts";
import { taskEvents } from "./task-events.ts";
import { V2Context } from "./v2-context.ts";

/** The API for new clients: every operation of the protocol's table, by a handler of the same name. */
export function v2Router(options: HttpAppOptions, limits: RequestLimits): Router {
  const context = new V2Context(options);
  const handlers: OperationHandlers<typeof V2_OPERATIONS> = {
    createTask: createTask(context),
    getTask: async ({ params, caller, request }) => ({
      status: 200,
      body: await context.view(await context.taskOf(caller, params.taskId), request),
    }),
    taskEvents: taskEvents(context),
  };
  const router = express.Router();
  mountOperations(router, V2_OPERATIONS, handlers, { options, limits });
  return router;
}
