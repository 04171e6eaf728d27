import type { Pipeline, V1TaskFrame } from "@genai/protocol";

/** What a v1 task asks for, or null where it asks for nothing. */
export function pipelineOfV1({ options, comfyOptions }: V1TaskFrame): Pipeline | null {
  if (comfyOptions !== null) {
    const images = comfyOptions.pipelineDependencies?.images ?? null;
    return { type: "comfy", workflow: comfyOptions.pipelineData, ...(images === null ? {} : { images }) };
  }
  if (options === null) return null;
  const { prompt, model, size, steps } = options;
  return { type: "standard", prompt, model, ...(size ?? {}), ...(steps === null ? {} : { steps }) };
}
