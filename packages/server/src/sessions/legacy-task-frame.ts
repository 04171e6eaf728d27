import type { Pipeline, V1TaskFrame } from "@genai/protocol";
import type { Delivery } from "../coordinator/node-sessions.ts";

/** The task frame of a legacy node: these keys and no others, null where unset. */
export function legacyTaskFrame({ attemptId, pipeline }: Pick<Delivery, "attemptId" | "pipeline">): V1TaskFrame {
  return { taskId: attemptId, options: optionsOf(pipeline), comfyOptions: comfyOptionsOf(pipeline) };
}

function optionsOf(pipeline: Pipeline): V1TaskFrame["options"] {
  if (pipeline.type !== "standard") return null;
  const { prompt, model, width, height, steps } = pipeline;
  const size = width === undefined || height === undefined ? null : { width, height };
  return { prompt, model, size, steps: steps ?? null };
}

function comfyOptionsOf(pipeline: Pipeline): V1TaskFrame["comfyOptions"] {
  if (pipeline.type !== "comfy") return null;
  const { workflow, images } = pipeline;
  return {
    pipelineData: textOf(workflow),
    pipelineDependencies: images === undefined ? null : { images: textOf(images) },
  };
}

/** v1's callers send text, which is passed on as it is. */
function textOf(value: string | object): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
