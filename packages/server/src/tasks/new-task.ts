import { attemptLimitMs, graphWork, type Requirements, standardWork } from "@genai/dispatcher";
import {
  type ComfyPipeline,
  type CreateTaskBody,
  type InputImage,
  type Pipeline,
  type StandardPipeline,
  V1_MAX_COST_DEFAULT,
  V1_TIME_TO_MONEY_RATIO_DEFAULT,
  type V1ComfyPipeline,
  type V1StandardPipeline,
  type V1TaskBody,
  type V2Pipeline,
} from "@genai/protocol";
import { graphModels } from "./graph-models.ts";
import type { NewTask, StoredTask } from "./stored-task.ts";

/** What a submission is made with, beside its body. */
export interface SubmissionContext {
  /** UUIDv7. */
  readonly taskId: string;
  readonly userId: string;
  readonly nowMs: number;
  /** Stands in for a model that a v1 caller left out; may be empty. */
  readonly defaultModel: string;
  /** How long one attempt at a graph may take, in milliseconds. */
  readonly graphTimeoutMs: number;
  /** Of the request's span, where it is traced. */
  readonly traceparent?: string | undefined;
}

/** A ComfyUI graph in API format, parsed. */
type Graph = Readonly<Record<string, unknown>>;

/** Attempts that may end by a node's fault where the caller says nothing. */
const MAX_ATTEMPTS_DEFAULT = 5;

/** A v1 body's pipeline, the one that counts; a graph comes parsed beside its own text. */
export type V1Submission = { readonly body: Pick<V1TaskBody, "max_cost" | "time_to_money_ratio"> } & (
  | { readonly type: "standard"; readonly pipeline: V1StandardPipeline }
  | { readonly type: "comfy"; readonly pipeline: V1ComfyPipeline; readonly graph: Graph }
);

/** What a v1 caller asks for. */
export function newTaskFromV1(submission: V1Submission, context: SubmissionContext): NewTask {
  const parts =
    submission.type === "comfy"
      ? comfyParts(v1Comfy(submission.pipeline), submission.graph, context)
      : standardParts(v1Standard(submission.pipeline, context.defaultModel), { v1: true });
  return {
    taskId: context.taskId,
    userId: context.userId,
    api: "v1",
    createdAtMs: context.nowMs,
    pipeline: parts.pipeline,
    requirements: parts.requirements,
    work: parts.work,
    limitMs: parts.limitMs,
    pictureCount: parts.pictureCount,
    priority: 0,
    maxCost: submission.body.max_cost ?? V1_MAX_COST_DEFAULT,
    timeToMoneyRatio: submission.body.time_to_money_ratio ?? V1_TIME_TO_MONEY_RATIO_DEFAULT,
    deadlineAtMs: null,
    maxAttempts: MAX_ATTEMPTS_DEFAULT,
    metadata: null,
    webhook: null,
    traceparent: context.traceparent,
  };
}

/** The input images of a v2 body as nodes take them, with uploads and parts already read. */
export interface TaskInputs {
  readonly image: InputImage | null;
  /** A graph's, in base64 by file name. */
  readonly images: Readonly<Record<string, string>> | null;
}

/** What a v2 body asks for. */
export function newTaskFromV2(body: CreateTaskBody, inputs: TaskInputs, context: SubmissionContext): NewTask {
  const parts =
    body.pipeline.type === "comfy"
      ? comfyParts(v2Comfy(body.pipeline, inputs.images), body.pipeline.workflow, context)
      : standardParts(v2Standard(body.pipeline, inputs.image), { v1: false });
  return {
    taskId: context.taskId,
    userId: context.userId,
    api: "v2",
    createdAtMs: context.nowMs,
    ...parts,
    requirements: narrowed(parts.requirements, body.requirements),
    priority: body.priority,
    maxCost: body.maxCost,
    timeToMoneyRatio: body.timeToMoneyRatio,
    deadlineAtMs: body.deadlineAt === undefined ? null : Date.parse(body.deadlineAt),
    maxAttempts: body.maxAttempts,
    metadata: body.metadata === undefined ? null : JSON.stringify(body.metadata),
    webhook: body.webhook ?? null,
    traceparent: context.traceparent,
  };
}

/** The same work and terms once more, as a task of its own. A deadline gives it as long as it gave the first. */
export function retriedTask(
  ended: StoredTask,
  pipeline: Pipeline,
  born: Pick<SubmissionContext, "taskId" | "nowMs" | "traceparent">,
): NewTask {
  const { userId, priority, maxCost, timeToMoneyRatio, requirements, work, limitMs, maxAttempts, metadata, webhook } =
    ended;
  return {
    taskId: born.taskId,
    userId,
    api: "v2",
    createdAtMs: born.nowMs,
    pipeline,
    priority,
    maxCost,
    timeToMoneyRatio,
    requirements,
    work,
    limitMs,
    pictureCount: ended.pictureCount,
    deadlineAtMs: ended.deadlineAtMs === null ? null : born.nowMs + (ended.deadlineAtMs - ended.createdAtMs),
    maxAttempts,
    metadata,
    webhook,
    traceparent: born.traceparent,
  };
}

type Parts = Pick<NewTask, "pipeline" | "requirements" | "work" | "limitMs" | "pictureCount">;

function standardParts(pipeline: StandardPipeline, { v1 }: { readonly v1: boolean }): Parts {
  return {
    pipeline,
    requirements: {
      pipeline: "standard",
      engine: null,
      models: pipeline.model === "" ? [] : [pipeline.model],
      gpuType: null,
      vramBytesMin: null,
      imageInput: pipeline.image === undefined ? "none" : v1 ? "wish" : "required",
      modelIsWishOnLegacy: v1,
    },
    work: standardWork(pipeline),
    limitMs: attemptLimitMs(pipeline),
    pictureCount: pipeline.count ?? 1,
  };
}

function comfyParts(pipeline: ComfyPipeline, graph: Graph, context: SubmissionContext): Parts {
  return {
    pipeline,
    requirements: {
      pipeline: "comfy",
      engine: null,
      models: graphModels(graph),
      gpuType: null,
      vramBytesMin: null,
      imageInput: "none",
      modelIsWishOnLegacy: true,
    },
    work: graphWork(graph),
    limitMs: context.graphTimeoutMs,
  };
}

function v1Comfy(body: V1ComfyPipeline): ComfyPipeline {
  const images = body.pipelineDependencies?.images;
  return { type: "comfy", workflow: body.pipelineData, ...(images == null ? {} : { images }) };
}

function v1Standard(body: V1StandardPipeline, defaultModel: string): StandardPipeline {
  const image = v1Image(body.image_url);
  return {
    type: "standard",
    prompt: body.prompt,
    model: body.model ?? defaultModel,
    ...(body.size == null ? {} : { width: body.size.width, height: body.size.height }),
    ...(body.steps == null ? {} : { steps: body.steps }),
    ...(image === null ? {} : { image }),
  };
}

/** v1's `image_url` is a wish: what is no http(s) URL cannot be fetched by anybody and is left out. */
function v1Image(url: string | null | undefined): InputImage | null {
  return url != null && URL.canParse(url) && /^https?:/i.test(url) ? { url } : null;
}

function v2Comfy(body: Extract<V2Pipeline, { type: "comfy" }>, images: TaskInputs["images"]): ComfyPipeline {
  return { type: "comfy", workflow: body.workflow, ...(images === null ? {} : { images: { ...images } }) };
}

function v2Standard(body: Extract<V2Pipeline, { type: "standard" }>, image: InputImage | null): StandardPipeline {
  const { image: _asGiven, model, ...rest } = body;
  return { ...rest, model: model ?? "", ...(image === null ? {} : { image }) };
}

/** v2's requirements: everything that is asked holds on every node. */
function narrowed(base: Requirements, asked: CreateTaskBody["requirements"]): Requirements {
  return {
    ...base,
    modelIsWishOnLegacy: false,
    engine: asked?.engine ?? base.engine,
    models: [...new Set([...base.models, ...(asked?.models ?? [])])],
    gpuType: asked?.gpuType ?? base.gpuType,
    vramBytesMin: asked?.vramBytesMin ?? base.vramBytesMin,
  };
}
