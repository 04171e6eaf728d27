import { TaskId } from "@genai/protocol";
import type { IRouter, Request, RequestHandler } from "express";
import type { Caller } from "../../identity/caller.ts";
import { newTaskFromV1, type V1Submission } from "../../tasks/new-task.ts";
import type { StoredTask } from "../../tasks/stored-task.ts";
import { webSocketUrl } from "../base-url.ts";
import { headerToken } from "../caller-of.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { readJsonBody } from "../request-body.ts";
import type { RequestLimits } from "../request-limits.ts";
import { traceparentOf } from "../request-tracing.ts";
import { sendJson } from "../send-json.ts";
import { idempotencyOf, submitTask } from "../submission.ts";
import { waitForEnd } from "../wait-for-end.ts";
import { v1Images } from "./v1-images.ts";
import { readComfyBody, readTaskBody } from "./v1-submission.ts";
import { v1Error, v1View } from "./v1-view.ts";

/** v1's list shows this many tasks, the newest. */
const LIST_MAX = 1_000;

/** The calls that make a task, as existing clients spell their paths: what their idempotency keys were stored with. */
type Creation = "/v1/images/generation/" | "/v1/tasks/" | "/v1/inference/comfyPipeline";

/** The API that existing clients speak, quirks included: a GET that answers 201, failures that answer 202, and one 403 for
 *  a task that is another's and for one that is not there. */
export function mountV1(app: IRouter, options: HttpAppOptions, limits: RequestLimits): void {
  const { settings, tasks, store, fleet, authenticate } = options;

  async function submit(
    request: Request,
    creation: Creation,
    read: (body: unknown) => V1Submission,
  ): Promise<StoredTask> {
    // A bad token in a header is refused before the body is read.
    const token = headerToken(request);
    const known = token === null ? null : await limits.callerOf(authenticate, token, request);
    const body = await readJsonBody(request, options.bodies);
    const caller = known ?? (await limits.callerOf(authenticate, bodyToken(body), request));
    limits.count("creation", caller, request);
    const task = newTaskFromV1(read(body), {
      taskId: options.newTaskId(),
      userId: caller.userId,
      nowMs: options.wallMs(),
      defaultModel: settings.defaultModel,
      graphTimeoutMs: settings.graphTimeoutMs,
      traceparent: traceparentOf(request),
    });
    const key = request.get("idempotency-key");
    const idempotency = key === undefined ? null : idempotencyOf(key, creation, withoutToken(body));
    return (await submitTask(tasks, task, idempotency)).task;
  }

  async function reader(request: Request): Promise<Caller> {
    const caller = await limits.callerOf(authenticate, headerToken(request), request);
    limits.count("read", caller, request);
    return caller;
  }

  const hello: RequestHandler = (request, response) => {
    sendJson(response, 200, { ok: true, url: webSocketUrl(request, settings.publicUrl) });
  };

  const health: RequestHandler = (_request, response) => {
    const availableNodesCount = fleet.onlineNodeCount();
    const ok = availableNodesCount > 0;
    sendJson(response, ok ? 200 : 500, { ok, status: ok ? "ok" : "error", availableNodesCount });
  };

  const createTask: RequestHandler = async (request, response) => {
    const task = await submit(request, "/v1/tasks/", readTaskBody);
    sendJson(response, 201, { ok: true, message: "the task is stored", task_id: task.taskId });
  };

  const createComfyTask: RequestHandler = async (request, response) => {
    const task = await submit(request, "/v1/inference/comfyPipeline", readComfyBody);
    sendJson(response, 202, { ok: true, message: "the task is stored", task_id: task.taskId });
  };

  const generate: RequestHandler = async (request, response) => {
    const stored = await submit(request, "/v1/images/generation/", readTaskBody);
    const task = await waitForEnd(options, response, stored.taskId, settings.syncTimeoutMs);
    if (task === null) throw new HttpRefusal("timeout", { taskId: stored.taskId });
    const { result } = await v1View(task, v1Images(request, options));
    sendJson(
      response,
      202,
      result === null
        ? { ok: false, task_id: task.taskId, error: v1Error(task) }
        : { ok: true, task_id: task.taskId, result },
    );
  };

  const getTask: RequestHandler = async (request, response) => {
    const caller = await reader(request);
    const taskId = TaskId.safeParse(request.params.taskId);
    const task = taskId.success ? await store.task(taskId.data) : null;
    if (task === null || task.userId !== caller.userId) {
      throw new HttpRefusal("forbidden", { detail: "the caller has no such task" });
    }
    sendJson(response, 201, { ok: true, ...(await v1View(task, v1Images(request, options))) });
  };

  const listTasks: RequestHandler = async (request, response) => {
    const caller = await reader(request);
    const page = await store.tasksOf(caller.userId, {}, LIST_MAX, null);
    if (page.tasks.length === 0) throw new HttpRefusal("forbidden", { detail: "the caller has no task" });
    const imageUrl = v1Images(request, options);
    const views = [];
    for (const task of page.tasks) views.push([task.taskId, await v1View(task, imageUrl)] as const);
    sendJson(response, 200, { ok: true, count: views.length, data: Object.fromEntries(views) });
  };

  // The busiest first: express tries one after the other.
  app.route("/v1/images/generation").post(generate).all(methodNotAllowed("POST"));
  app.route("/v1/tasks").get(listTasks).post(createTask).all(methodNotAllowed("GET, POST"));
  app.route("/v1/tasks/:taskId").get(getTask).all(methodNotAllowed("GET"));
  app.route("/v1/inference/comfyPipeline").post(createComfyTask).all(methodNotAllowed("POST"));
  app.route("/v1/client/hello").get(hello).post(hello).all(methodNotAllowed("GET, POST"));
  app.route("/v1/nodes/health").get(health).all(methodNotAllowed("GET"));
  app.use("/v1", () => {
    throw new HttpRefusal("route_not_found");
  });
}

function methodNotAllowed(allow: string): RequestHandler {
  return () => {
    throw new HttpRefusal("method_not_allowed", { headers: { Allow: allow } });
  };
}

/** The token in a body; a token that is no string is the schema's to refuse. */
function bodyToken(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("token" in body)) return null;
  if (body.token === null || typeof body.token === "string") return body.token;
  throw new HttpRefusal("invalid_request", { detail: "token: must be a string" });
}

function withoutToken(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const { token: _token, ...rest } = body as Record<string, unknown>;
  return rest;
}
