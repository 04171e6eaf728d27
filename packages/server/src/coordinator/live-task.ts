import type { AbortReason } from "@genai/dispatcher";
import type { Pipeline } from "@genai/protocol";
import { NO_SPAN, type Span } from "@genai/tracing";
import { AttemptUploads, type UploadLimits } from "../artifacts/attempt-uploads.ts";
import type { NewTask, StoredTask, TaskArtifact, TaskError } from "../tasks/stored-task.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** An attempt of a task in this server's window. */
export interface LiveAttempt {
  readonly attemptId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly nodeId: string;
  open: boolean;
  /** 0 to 1, never falling. */
  progress: number;
  artifacts: readonly TaskArtifact[];
  error: TaskError | null;
  abortReason: AbortReason | null;
  readonly uploads: AttemptUploads;
  /** From its send to its end. */
  span: Span;
}

/** A new open attempt, of which nothing was heard yet. */
export function newLiveAttempt(
  identity: Pick<LiveAttempt, "attemptId" | "taskId" | "attempt" | "nodeId" | "uploads">,
): LiveAttempt {
  const { attemptId, taskId, attempt, nodeId, uploads } = identity;
  return {
    attemptId,
    taskId,
    attempt,
    nodeId,
    open: true,
    progress: 0,
    artifacts: [],
    error: null,
    abortReason: null,
    uploads,
    span: NO_SPAN,
  };
}

/** What an attempt at a task may upload: as many pictures as the task asked for, where it could say so to its node. */
export function uploadsFor(
  task: Pick<StoredTask, "pictureCount" | "pipelineType">,
  { legacy }: { readonly legacy: boolean },
  { graphPicturesMax, bytesMax }: UploadLimits,
): AttemptUploads {
  const picturesMax = legacy ? graphPicturesMax : (task.pictureCount ?? graphPicturesMax);
  return new AttemptUploads(picturesMax, bytesMax, task.pipelineType === "comfy" ? "task" : "node");
}

/** A task in this server's window: what the store has of it, and its attempts. */
export interface LiveTask {
  readonly stored: Mutable<StoredTask>;
  readonly classKey: string;
  /** Null where it is too large to be kept: it is read again when it is sent. */
  readonly pipeline: Pipeline | null;
  readonly attempts: Map<number, LiveAttempt>;
  /** The wait in the queue that is under way, or the last. */
  waitSpan: Span;
}

/** What the store will say of a task right after its birth. Written out field by field: a rest spread of so many costs 15 µs a task. */
export function storedAtBirth(task: NewTask): Mutable<StoredTask> {
  return {
    taskId: task.taskId,
    userId: task.userId,
    api: task.api,
    createdAtMs: task.createdAtMs,
    pipelineType: task.pipeline.type,
    priority: task.priority,
    maxCost: task.maxCost,
    timeToMoneyRatio: task.timeToMoneyRatio,
    requirements: task.requirements,
    work: task.work,
    limitMs: task.limitMs,
    deadlineAtMs: task.deadlineAtMs,
    maxAttempts: task.maxAttempts,
    metadata: task.metadata,
    webhook: task.webhook,
    pictureCount: task.pictureCount,
    traceparent: task.traceparent,
    state: "queued",
    eventNumber: 1,
    lastAttempt: 0,
    faults: 0,
    losses: 0,
    failedNodeIds: [],
    handedBack: false,
    notBeforeMs: 0,
    startedAtMs: null,
    settledAtMs: null,
    artifacts: [],
    error: null,
  };
}

/** Pipelines up to this many characters of text stay in memory while their task is in the window; the rest is read again. */
const PIPELINE_CHARS_KEPT = 16_384;

/** True where a pipeline is small enough to be kept beside its task. Estimated from its large fields, never by writing it out. */
export function isSmall(pipeline: Pipeline): boolean {
  if (pipeline.type === "standard") {
    const image = pipeline.image !== undefined && "base64" in pipeline.image ? pipeline.image.base64.length : 0;
    return pipeline.prompt.length + (pipeline.negativePrompt?.length ?? 0) + image <= PIPELINE_CHARS_KEPT;
  }
  const graph = typeof pipeline.workflow === "string" ? pipeline.workflow.length : Number.POSITIVE_INFINITY;
  const images =
    pipeline.images === undefined
      ? 0
      : typeof pipeline.images === "string"
        ? pipeline.images.length
        : Number.POSITIVE_INFINITY;
  return graph + images <= PIPELINE_CHARS_KEPT;
}
