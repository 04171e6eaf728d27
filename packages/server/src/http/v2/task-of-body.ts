import type { CreateTaskBody } from "@genai/protocol";
import { newTaskFromV2, type SubmissionContext } from "../../tasks/new-task.ts";
import type { NewTask } from "../../tasks/stored-task.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { fieldRefusal } from "../http-refusal.ts";
import type { Files } from "../multipart-body.ts";
import { readInputs } from "./task-inputs.ts";
import { refuseUiFormat } from "./workflow-format.ts";

/** Makes a task of a body and the files that came with it; checks what the schema cannot say: the server's own limits, and the time. */
export async function taskOfBody(
  { settings, uploads, webhooks, newTaskId, wallMs }: HttpAppOptions,
  body: CreateTaskBody,
  files: Files,
  { userId, traceparent }: Pick<SubmissionContext, "userId" | "traceparent">,
): Promise<NewTask> {
  const nowMs = wallMs();
  check(body, settings.promptCharsMax, nowMs);
  const objection = body.webhook === undefined ? null : webhooks.objection(body.webhook);
  if (objection !== null) throw fieldRefusal("webhook", objection);
  return newTaskFromV2(body, await readInputs(body.pipeline, files, (id) => uploads.read(userId, id)), {
    taskId: newTaskId(),
    userId,
    nowMs,
    defaultModel: settings.defaultModel,
    graphTimeoutMs: settings.graphTimeoutMs,
    traceparent,
  });
}

function check(body: CreateTaskBody, promptCharsMax: number, nowMs: number): void {
  if (body.pipeline.type === "comfy") {
    refuseUiFormat(body.pipeline.workflow, "pipeline.workflow");
  } else {
    for (const name of ["prompt", "negativePrompt"] as const) {
      if ((body.pipeline[name]?.length ?? 0) <= promptCharsMax) continue;
      throw fieldRefusal(`pipeline.${name}`, `must have at most ${promptCharsMax} characters`);
    }
  }
  if (body.deadlineAt !== undefined && Date.parse(body.deadlineAt) <= nowMs) {
    throw fieldRefusal("deadlineAt", "must be in the future");
  }
}
