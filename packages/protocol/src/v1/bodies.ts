import { z } from "zod";
import { PROMPT_CHARS_MAX } from "../pipeline.ts";

/** A field that must be there, said in a sentence that a caller understands. */
const text = (name: string) =>
  z.string({ error: (issue) => (issue.input === undefined ? `${name} is missing` : `${name} must be a string`) });

/** v1 is lenient: null means absent, here and below. */
export const V1StandardPipeline = z.object({
  prompt: text("prompt").min(1, "prompt must not be empty").max(PROMPT_CHARS_MAX),
  model: z.string().max(512).nullish(),
  size: z.object({ width: z.int().min(1).max(16_384), height: z.int().min(1).max(16_384) }).nullish(),
  steps: z.int().min(1).max(1_000).nullish(),
  image_url: z.string().max(8_192).nullish(),
});
export type V1StandardPipeline = z.infer<typeof V1StandardPipeline>;

/** What is said of a `pipelineData` that is no graph. */
export const V1_GRAPH_ERROR = "pipelineData must be a string that holds a JSON object (a ComfyUI graph in API format)";

/** Text that must hold a JSON object: a ComfyUI graph in API format. Here it only has to begin as one: whoever takes it reads it, once. */
const GraphText = text("pipelineData").refine((value) => /^\s*\{/.test(value), { error: V1_GRAPH_ERROR });

export const V1ComfyPipeline = z.object({
  pipelineData: GraphText,
  /** `images` is passed on as it is: old callers send text here that is no JSON. */
  pipelineDependencies: z.object({ images: z.string().nullish() }).nullish(),
});
export type V1ComfyPipeline = z.infer<typeof V1ComfyPipeline>;

const terms = {
  token: z.string().nullish(),
  max_cost: z.number().min(0).nullish(),
  time_to_money_ratio: z.number().min(0).nullish(),
};

/** `POST /v1/tasks/` and `POST /v1/images/generation/`. Where both pipelines are given the comfy one is used. */
export const V1TaskBody = z
  .object({ ...terms, standardPipeline: V1StandardPipeline.nullish(), comfyPipeline: V1ComfyPipeline.nullish() })
  .refine((body) => body.standardPipeline != null || body.comfyPipeline != null, {
    error: "one of standardPipeline and comfyPipeline is needed",
  });
export type V1TaskBody = z.infer<typeof V1TaskBody>;

/** `POST /v1/inference/comfyPipeline`: the pipeline's fields stand at the top level. */
export const V1ComfyBody = V1ComfyPipeline.extend(terms);
export type V1ComfyBody = z.infer<typeof V1ComfyBody>;

/** The original's default for `max_cost`, in credits. */
export const V1_MAX_COST_DEFAULT = 15;
/** The original's default for `time_to_money_ratio`. */
export const V1_TIME_TO_MONEY_RATIO_DEFAULT = 1;

/** `status` of a v1 task. The original knew the first two only and left the others PENDING for ever. */
export type V1Status = "PENDING" | "SUCCESS" | "FAILED" | "CANCELED";

export interface V1Result {
  readonly images: readonly string[];
}
