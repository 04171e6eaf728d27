import { z } from "zod";

/** Longest prompt, in characters, that the protocol can carry; a server may ask for less. */
export const PROMPT_CHARS_MAX = 100_000;

/** An image that a task starts from: a URL that the server has allowed, or the bytes themselves in base64. */
export const InputImage = z.union([
  z.object({ url: z.string().url().max(8192) }),
  z.object({ base64: z.string().max(90_000_000), mime: z.string().max(100).optional() }),
]);
export type InputImage = z.infer<typeof InputImage>;

/** Text to image (or image to image, with `image`). Whatever is absent is the engine's own default. */
export const StandardPipeline = z.object({
  type: z.literal("standard"),
  prompt: z.string().min(1).max(PROMPT_CHARS_MAX),
  negativePrompt: z.string().max(PROMPT_CHARS_MAX).optional(),
  /** Empty: the node's own default. */
  model: z.string().max(512).default(""),
  /** Pixels. */
  width: z.int().min(1).max(16_384).optional(),
  height: z.int().min(1).max(16_384).optional(),
  steps: z.int().min(1).max(1_000).optional(),
  guidanceScale: z.number().min(0).max(100).optional(),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  /** Pictures to make, with seeds seed, seed + 1, … */
  count: z.int().min(1).max(64).optional(),
  image: InputImage.optional(),
  /** How far from `image`: 0 keeps it, 1 forgets it. */
  strength: z.number().min(0).max(1).optional(),
});
export type StandardPipeline = z.infer<typeof StandardPipeline>;

/** A ComfyUI graph in API format. From v1 both fields come as the caller's own text, passed on unread. */
export const ComfyPipeline = z.object({
  type: z.literal("comfy"),
  workflow: z.union([z.record(z.string(), z.unknown()), z.string()]),
  /** Base64 images by the file name that the graph uses, or v1's raw text. */
  images: z.union([z.record(z.string(), z.string()), z.string()]).optional(),
});
export type ComfyPipeline = z.infer<typeof ComfyPipeline>;

/** What a task is to run. */
export const Pipeline = z.discriminatedUnion("type", [StandardPipeline, ComfyPipeline]);
export type Pipeline = z.infer<typeof Pipeline>;
