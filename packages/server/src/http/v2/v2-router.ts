import { V2_OPERATIONS } from "@genai/protocol";
import express, { type Router } from "express";
import type { HttpAppOptions } from "../http-options.ts";
import type { RequestLimits } from "../request-limits.ts";
import { createTask } from "./create-task.ts";
import { createEnrolment, createKey, enrolNode, listKeys, revokeKey, revokeNodeKey } from "./credentials.ts";
import { cancelTask, deleteTask, retryTask } from "./end-task.ts";
import { explain, explainTask } from "./explain.ts";
import { getQueue } from "./get-queue.ts";
import { getTask } from "./get-task.ts";
import { getUsage } from "./get-usage.ts";
import { listModels } from "./list-models.ts";
import { listTasks } from "./list-tasks.ts";
import { drainNode, listNodes, undrainNode } from "./nodes.ts";
import { mountOperations, type OperationHandlers } from "./operation-router.ts";
import { taskEvents, userEvents } from "./task-events.ts";
import { createUpload, getUpload } from "./uploads.ts";
import { V2Context } from "./v2-context.ts";
import { getDelivery, listDeliveries, replayDeliveries, replayDelivery, rotateWebhookSecret } from "./webhooks.ts";

/** The API for new clients: every operation of the protocol's table, by a handler of the same name. */
export function v2Router(options: HttpAppOptions, limits: RequestLimits): Router {
  const context = new V2Context(options);
  const handlers: OperationHandlers<typeof V2_OPERATIONS> = {
    createTask: createTask(context),
    listTasks: listTasks(context),
    getTask: getTask(context),
    cancelTask: cancelTask(context),
    retryTask: retryTask(context),
    deleteTask: deleteTask(context),
    taskEvents: taskEvents(context),
    explainTask: explainTask(context),
    explain: explain(context),
    createUpload: createUpload(context),
    getUpload: getUpload(context),
    userEvents: userEvents(context),
    listNodes: listNodes(context),
    drainNode: drainNode(context),
    undrainNode: undrainNode(context),
    listModels: listModels(context),
    getQueue: getQueue(context),
    getUsage: getUsage(context),
    listDeliveries: listDeliveries(context),
    getDelivery: getDelivery(context),
    replayDelivery: replayDelivery(context),
    replayDeliveries: replayDeliveries(context),
    rotateWebhookSecret: rotateWebhookSecret(context),
    createKey: createKey(context),
    listKeys: listKeys(context),
    revokeKey: revokeKey(context),
    createEnrolment: createEnrolment(context),
    enrolNode: enrolNode(context),
    revokeNodeKey: revokeNodeKey(context),
  };
  const router = express.Router();
  mountOperations(router, V2_OPERATIONS, handlers, { options, limits });
  return router;
}
