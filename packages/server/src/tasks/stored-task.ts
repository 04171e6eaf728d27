import type { AbortReason, AttemptState, Requirements, Work } from "@genai/dispatcher";
import type { Pipeline } from "@genai/protocol";

/** States of a task, everywhere the same words. The last three are final. */
export type TaskState = "queued" | "running" | "succeeded" | "failed" | "canceled";

/** A picture that a task produced. */
export interface TaskArtifact {
  /** Place in the result, from 0. */
  readonly index: number;
  /** Key in the artifact store, or null where the node gave a URL of its own, which we keep as it is and never fetch. */
  readonly key: string | null;
  readonly url: string | null;
  readonly sha256: string | null;
  readonly bytes: number | null;
  readonly mime: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly seed: number | null;
}

/** Why a task failed. */
export interface TaskError {
  /** Stable words: `task_failed`, `attempts_exhausted`, `nodes_lost`, `deadline_exceeded`. */
  readonly code: string;
  /** What the node said last, or our own sentence. */
  readonly message: string;
}

/** What a submitter hands over; everything that is stored of a task at its birth. */
export interface NewTask {
  /** UUIDv7. */
  readonly taskId: string;
  readonly userId: string;
  /** Which surface it came by: the shape of its answers depends on it. */
  readonly api: "v1" | "v2";
  readonly createdAtMs: number;
  readonly pipeline: Pipeline;
  readonly priority: number;
  readonly maxCost: number;
  readonly timeToMoneyRatio: number;
  readonly requirements: Requirements;
  readonly work: Work;
  readonly limitMs: number;
  /** Given up then, wall clock; null for the store's own retention. */
  readonly deadlineAtMs: number | null;
  readonly maxAttempts: number;
  /** The caller's own words, echoed. JSON object text of at most 4 KiB, or null. */
  readonly metadata: string | null;
  /** Where to announce the end, or null. */
  readonly webhook: string | null;
  /** How many pictures it asked for; absent for a graph, which does not say. */
  readonly pictureCount?: number | undefined;
  /** The span of the request that made it (W3C `traceparent`), from which all of its others continue; absent where nothing was traced. */
  readonly traceparent?: string | undefined;
}

/** A task as it stands. Without its pipeline, which may be megabytes: {@link TaskStore.pipelineOf}. */
export interface StoredTask extends Omit<NewTask, "pipeline"> {
  /** `standard` or `comfy`. */
  readonly pipelineType: Pipeline["type"];
  readonly state: TaskState;
  /** Number of its newest event. */
  readonly eventNumber: number;
  readonly lastAttempt: number;
  readonly faults: number;
  readonly losses: number;
  readonly failedNodeIds: readonly string[];
  /** Waits at its user's head. */
  readonly handedBack: boolean;
  /** Not before this instant, after a fault; 0 for at once. */
  readonly notBeforeMs: number;
  readonly startedAtMs: number | null;
  readonly settledAtMs: number | null;
  readonly artifacts: readonly TaskArtifact[];
  readonly error: TaskError | null;
}

/** One lease of a task by a node. */
export interface StoredAttempt {
  /** On the wire. */
  readonly attemptId: string;
  readonly taskId: string;
  /** From 1, within the task. */
  readonly attempt: number;
  readonly nodeId: string;
  readonly legacy: boolean;
  /** Price at send, in credits. */
  readonly cost: number;
  readonly limitMs: number;
  readonly state: AttemptState;
  readonly open: boolean;
  readonly openedAtMs: number;
  readonly closedAtMs: number | null;
  /** GPU time charged, in milliseconds, once it is closed. */
  readonly gpuMs: number;
  readonly abortReason: AbortReason | null;
  readonly error: TaskError | null;
}

/** A numbered entry of a task's event log. */
export interface TaskEvent {
  /** Position in the log of all tasks; grows in the order of commits. */
  readonly position: number;
  readonly taskId: string;
  readonly userId: string;
  /** 1, 2, 3 … within the task, without a gap. */
  readonly number: number;
  readonly atMs: number;
  /** `queued` again after `running` means that it was handed back. */
  readonly state: TaskState;
  /** Attempt that this is about, and why; small JSON. */
  readonly detail: {
    readonly attempt?: number;
    readonly nodeId?: string;
    readonly reason?: string;
    readonly error?: TaskError;
    readonly artifacts?: number;
  };
}
