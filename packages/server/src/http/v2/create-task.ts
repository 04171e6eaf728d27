import type { CreateTaskBody, InputImage, V2Operations } from "@genai/protocol";
import { readImageHeader } from "../../artifacts/image-header.ts";
import { newTaskFromV2 } from "../../tasks/new-task.ts";
import type { Uploads } from "../../uploads/uploads.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { idempotencyOf, submitTask } from "../submission.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";
import { refuseUiFormat } from "./workflow-format.ts";

export function createTask(context: V2Context): OperationHandler<V2Operations["createTask"]> {
  const { settings, tasks, uploads, newTaskId, wallMs } = context.options;
  return async ({ body, headers, caller, request, response }) => {
    const nowMs = wallMs();
    check(body, settings.promptCharsMax, nowMs);
    const task = newTaskFromV2(body, await inputImage(body, caller.userId, uploads), {
      taskId: newTaskId(),
      userId: caller.userId,
      nowMs,
      defaultModel: settings.defaultModel,
      graphTimeoutMs: settings.graphTimeoutMs,
    });
    const idempotency = idempotencyOf(headers["idempotency-key"], "POST /v2/tasks", body);
    const submitted = await submitTask(tasks, task, idempotency);
    return {
      status: submitted.repeated ? 200 : 201,
      body: await context.view(await context.afterWait(submitted.task, headers.prefer, response), request),
      headers: { Location: `/v2/tasks/${submitted.task.taskId}` },
    };
  };
}

/** What the schema cannot say: the server's own limits, and the time. */
function check(body: CreateTaskBody, promptCharsMax: number, nowMs: number): void {
  if (body.pipeline.type === "comfy") {
    refuseUiFormat(body.pipeline.workflow, "pipeline.workflow");
  } else {
    for (const name of ["prompt", "negativePrompt"] as const) {
      if ((body.pipeline[name]?.length ?? 0) <= promptCharsMax) continue;
      refuseField(`pipeline.${name}`, `must have at most ${promptCharsMax} characters`);
    }
  }
  if (body.deadlineAt !== undefined && Date.parse(body.deadlineAt) <= nowMs) {
    refuseField("deadlineAt", "must be in the future");
  }
}

function refuseField(field: string, message: string): never {
  throw new HttpRefusal("invalid_request", { detail: `${field}: ${message}`, fields: [{ field, message }] });
}

/** The image that a task starts from, an upload as its own bytes. */
async function inputImage({ pipeline }: CreateTaskBody, userId: string, uploads: Uploads): Promise<InputImage | null> {
  if (pipeline.type !== "standard" || pipeline.image === undefined) return null;
  if (!("uploadId" in pipeline.image)) return pipeline.image;
  const { uploadId } = pipeline.image;
  const bytes = await uploads.read(userId, uploadId);
  if (bytes === null) throw new HttpRefusal("upload_not_found", { detail: `there is no upload ${uploadId}` });
  const mime = readImageHeader(bytes)?.mime;
  return { base64: bytes.toString("base64"), ...(mime === undefined ? {} : { mime }) };
}
