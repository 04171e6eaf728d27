import type { Pipeline } from "@genai/protocol";

/** Engines that a node can drive, by the names of its `--type` flag. */
export type EngineType = "automatic" | "voltaml" | "comfyUI" | "test";

/** What the engine beside the node can do now. */
export type EngineProbe =
  | {
      readonly state: "ready";
      readonly version: string | null;
      readonly pipelines: readonly Pipeline["type"][];
      /** From the engine's own list. Empty: it runs whatever it is asked for. */
      readonly models: readonly string[];
      readonly warmModel: string | null;
      /** ComfyUI's node classes, or null. */
      readonly nodeClasses: readonly string[] | null;
      /** Where the engine knows its GPU better than the machine does. */
      readonly gpu: { readonly type: string; readonly vramBytes: number; readonly count: number } | null;
      readonly imageInput: boolean;
      /** Tasks that it runs at once. */
      readonly concurrency: number;
    }
  | { readonly state: "unready"; readonly reason: string };

/** Input pictures that came to the disk as they were fetched. In their places in the pipeline stands an empty text. */
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
  /** Absent where the pipeline holds its pictures itself. The files are the caller's. */
  readonly inputs?: InputFiles;
  /** The server aborts past this many milliseconds; an engine need not watch it. */
  readonly limitMs: number;
}

/** Where an engine tells how it gets on. */
export interface EngineReport {
  /** 0 to 1; a lower value than before is ignored. */
  progress(value: number, stage: string): void;
  /** The latest wins; may be dropped. */
  preview(mime: "image/png" | "image/jpeg" | "image/webp", bytes: Uint8Array): void;
}

/** A picture that an engine made: in memory, or in a file that is the caller's to move or delete. */
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
      /** What went wrong beside it, such as outputs of a graph that did not run; for the log. */
      readonly warnings?: string;
    }
  /** `task`: the task itself is wrong, final. `node`: this node could not (out of memory, engine down), another may. */
  | {
      readonly type: "failed";
      readonly fault: "task" | "node";
      /** `engine_down` makes the node rest until the engine answers a probe again. */
      readonly code: string;
      readonly message: string;
      /** For the log alone: a traceback. */
      readonly detail?: string;
    }
  /** The signal fired and the engine has stopped. */
  | { readonly type: "canceled" };

/** One engine. Calls never reject for what an engine or a task did; that is an outcome. */
export interface Engine {
  readonly type: EngineType;
  probe(signal: AbortSignal): Promise<EngineProbe>;
  /** Runs one attempt to its end. After the signal fires it stops the engine, as far as that can be, and resolves soon. */
  run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome>;
  /** Lets go of what it holds: sockets, timers. The engine itself goes on. */
  free(): Promise<void>;
}
