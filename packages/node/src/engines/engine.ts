import type { Pipeline } from "@genai/protocol";

/** Engines that a node can drive, by the names of its `--type` flag. */
export type EngineType = "automatic" | "voltaml" | "comfyUI" | "test";

/** What the engine can do at the moment. */
export type EngineProbe =
  | {
      readonly state: "ready";
      readonly version: string | null;
      readonly pipelines: readonly Pipeline["type"][];
      /** From the engine's own list. Empty: it runs any model. */
      readonly models: readonly string[];
      readonly warmModel: string | null;
      /** ComfyUI's node classes, or null. */
      readonly nodeClasses: readonly string[] | null;
      /** Null where the engine does not know its GPU; the machine is asked then. */
      readonly gpu: { readonly type: string; readonly vramBytes: number; readonly count: number } | null;
      readonly imageInput: boolean;
      /** Number of tasks it runs at once. */
      readonly concurrency: number;
    }
  | { readonly state: "unready"; readonly reason: string };

/** Input pictures that were written to disk while they were fetched. The pipeline has an empty string in their places. */
export interface InputFiles {
  /** Of a standard task. */
  readonly image: string | null;
  /** Of a graph, by the names that it uses. */
  readonly images: ReadonlyMap<string, string>;
}

/** One attempt to run. */
export interface EngineTask {
  readonly attemptId: string;
  readonly pipeline: Pipeline;
  /** Absent where the pipeline itself contains its pictures. The files belong to the caller. */
  readonly inputs?: InputFiles;
  /** The server aborts the attempt after this many milliseconds; an engine need not watch it. */
  readonly limitMs: number;
}

/** Receives the progress of a run. */
export interface EngineReport {
  /** 0 to 1; a lower value than before is ignored. */
  progress(value: number, stage: string): void;
  /** Only the latest matters; may be dropped. */
  preview(mime: "image/png" | "image/jpeg" | "image/webp", bytes: Uint8Array): void;
}

/** A picture that an engine produced: in memory, or in a file that the caller moves or deletes. */
export interface EngineArtifact {
  readonly body: { readonly bytes: Uint8Array } | { readonly file: string };
  readonly mime: string;
  readonly width?: number;
  readonly height?: number;
  readonly seed?: number;
}

/** What the engine measured, in milliseconds. */
interface EngineMetrics {
  readonly gpuMs?: number;
  readonly modelLoadMs?: number;
  readonly warmModel?: string | null;
}

/** How an attempt ended. */
export type EngineOutcome =
  | {
      readonly type: "succeeded";
      readonly artifacts: readonly EngineArtifact[];
      readonly metrics: EngineMetrics;
      /** What went wrong nevertheless, such as outputs of a graph that did not run; for the log. */
      readonly warnings?: string;
    }
  /** `task`: the task itself is wrong; final. `node`: this node could not run it (out of memory, engine down), another one may. */
  | {
      readonly type: "failed";
      readonly fault: "task" | "node";
      /** `engine_down` makes the node rest until the engine answers a probe again. */
      readonly code: string;
      readonly message: string;
      /** A traceback, for the log only. */
      readonly detail?: string;
    }
  /** The signal fired and the engine has stopped. */
  | { readonly type: "canceled" };

/** An engine. Calls never reject because of something an engine or a task did; that is an outcome. */
export interface Engine {
  readonly type: EngineType;
  probe(signal: AbortSignal): Promise<EngineProbe>;
  /** Runs one attempt to its end. When the signal fires it stops the engine as far as possible and resolves soon. */
  run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome>;
  /** Releases sockets and timers. The engine itself keeps running. */
  free(): Promise<void>;
}
