import type { EngineOutcome } from "../engine.ts";
import { nodeFault, taskFault } from "../failed-outcome.ts";
import { executionError } from "./error-text.ts";
import { type HistoryEntry, OutputImage } from "./messages.ts";

/** How a run failed, as its history has it; null where it did not. */
export function failureOf(entry: HistoryEntry): EngineOutcome | null {
  const messages = entry.status?.messages ?? [];
  // "ExecutionBlocked" stops a branch, not the run.
  const failure = messages.find(
    ([name, data]) => name === "execution_error" && data.exception_type !== "ExecutionBlocked",
  );
  if (failure !== undefined && entry.status?.completed !== true) {
    const { message, outOfMemory, detail } = executionError(failure[1]);
    return outOfMemory
      ? { type: "failed", fault: "node", code: "out_of_memory", message, detail }
      : { type: "failed", fault: "task", code: "task_invalid", message, detail };
  }
  if (messages.some(([name]) => name === "execution_interrupted")) {
    return nodeFault("interrupted", "The prompt was interrupted on the engine.");
  }
  return entry.status?.status_str === "error" ? taskFault("ComfyUI says that the prompt failed, and not why.") : null;
}

/** All pictures of all outputs, each once: saved ones where there are any, else the temporary ones of preview nodes. */
export function imagesOf(entry: HistoryEntry): readonly OutputImage[] {
  const seen = new Map<string, OutputImage>();
  for (const { images = [] } of Object.values(entry.outputs)) {
    for (const each of images) {
      const image = OutputImage.safeParse(each);
      if (image.success) seen.set(`${image.data.type}/${image.data.subfolder}/${image.data.filename}`, image.data);
    }
  }
  const all = [...seen.values()];
  const saved = all.filter(({ type }) => type === "output");
  return saved.length > 0 ? saved : all;
}
