import { isDiskError } from "./disk-error.ts";
import type { EngineOutcome } from "./engine.ts";
import { EngineHttpError } from "./engine-http-error.ts";
import { TaskRefused } from "./task-refused.ts";

/** What an error means that ended a run: a cancel where the signal fired, the task's own fault, an engine that is down, or one in trouble. */
export function outcomeOfError(error: unknown, signal: AbortSignal): EngineOutcome {
  if (error instanceof TaskRefused) return taskFault(error.message);
  if (signal.aborted) return { type: "canceled" };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof EngineHttpError && error.kind === "too-large")
    return { type: "failed", fault: "task", code: "result_too_large", message };
  if (isDiskError(error)) return nodeFault("node_disk", message);
  // No answer at all: nobody is there. A wrong answer is an engine that is up, and in trouble.
  const down = error instanceof EngineHttpError && error.kind === "unreachable";
  return nodeFault(down ? "engine_down" : "engine_error", message);
}

/** The task itself is wrong: final. */
export function taskFault(message: string): EngineOutcome {
  return { type: "failed", fault: "task", code: "task_invalid", message };
}

/** This node could not; another may. */
export function nodeFault(code: string, message: string): EngineOutcome {
  return { type: "failed", fault: "node", code, message };
}

/** The engine can't run ComfyUI graphs; another node's may. */
export const GRAPH_UNSUPPORTED: EngineOutcome = nodeFault(
  "pipeline_unsupported",
  "This node's engine runs standard tasks only, no ComfyUI graphs.",
);
