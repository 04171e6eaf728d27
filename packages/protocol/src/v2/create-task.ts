import { z } from "zod";
import { PROMPT_CHARS_MAX } from "../pipeline.ts";
import { limited } from "./limited.ts";
import { Sha256 } from "./upload.ts";

const FromUpload = z.strictObject({
  uploadId: Sha256.meta({ description: "An upload's id: the SHA-256 of its bytes." }),
});
const FromPart = z.strictObject({
  part: z.string().min(1).max(256).meta({ description: "Name of the part of a multipart body that holds the bytes." }),
});

/** An image of a standard task: a URL, the bytes, an upload made before (`POST /v2/uploads`), or a part of the same body. */
export const V2InputImage = z.union([
  z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(8_192) }),
  z.strictObject({ base64: z.base64().min(4).max(90_000_000), mime: z.string().max(100).optional() }),
  FromUpload,
  FromPart,
]);
export type V2InputImage = z.infer<typeof V2InputImage>;

/** An image file of a graph. */
export const V2GraphImage = z.union([z.base64().max(90_000_000), FromUpload, FromPart]);
export type V2GraphImage = z.infer<typeof V2GraphImage>;

/** Pixels of one side. Engines work on blocks of eight. */
const Side = z
  .int()
  .min(64)
  .max(16_384)
  .multipleOf(8, "must be a multiple of 8")
  .meta({ description: "Pixels, a multiple of 8.", example: 512 });

export const V2StandardPipeline = z
  .strictObject({
    type: z.literal("standard"),
    prompt: z.string().min(1).max(PROMPT_CHARS_MAX).meta({ example: "a red fox in the snow" }),
    negativePrompt: z.string().max(PROMPT_CHARS_MAX).optional(),
    model: z.string().max(512).optional().meta({ description: "Absent or empty: the node's own default." }),
    width: Side.optional(),
    height: Side.optional(),
    steps: z.int().min(1).max(1_000).optional().meta({ example: 20 }),
    guidanceScale: z.number().min(0).max(100).optional(),
    seed: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .meta({ description: "0 to 2^53 − 1. Absent: the engine picks one." }),
    count: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: "Pictures to make, with seeds seed, seed + 1, … Default 1." }),
    image: V2InputImage.optional(),
    strength: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .meta({ description: "How far from `image`: 0 keeps it, 1 forgets it." }),
  })
  .meta({ id: "StandardPipeline", description: "Text to image, or image to image with `image`." });

export const V2ComfyPipeline = z
  .strictObject({
    type: z.literal("comfy"),
    workflow: limited(
      z
        .record(z.string().max(256), z.unknown())
        .meta({ description: "A ComfyUI graph in API format: node id → {class_type, inputs}. At most 10,000 nodes." }),
      { entriesMax: 10_000, keyCharsMax: 256 },
    ),
    images: limited(
      z.record(z.string().min(1).max(256), V2GraphImage).meta({
        description:
          "Images by the file name that the graph uses: base64, an upload, or a part of the body. At most 256.",
      }),
      { entriesMax: 256, keyCharsMax: 256 },
    ).optional(),
  })
  .meta({ id: "ComfyPipeline", description: "A ComfyUI graph." });

export const V2Pipeline = z
  .discriminatedUnion("type", [V2StandardPipeline, V2ComfyPipeline])
  .meta({ id: "Pipeline", description: "What to run." });
export type V2Pipeline = z.infer<typeof V2Pipeline>;

/** Longest `metadata`, in bytes of JSON. */
export const METADATA_BYTES_MAX = 4_096;

const Metadata = limited(
  z
    .record(z.string().min(1).max(128), z.unknown())
    .refine((value) => new TextEncoder().encode(JSON.stringify(value)).length <= METADATA_BYTES_MAX, {
      error: `must be at most ${METADATA_BYTES_MAX} bytes of JSON`,
    })
    .meta({ description: "The caller's own words, echoed. At most 4 KiB of JSON.", example: { order: "4711" } }),
  { entriesMax: METADATA_BYTES_MAX / 4, keyCharsMax: 128 },
);

export const V2Requirements = z
  .strictObject({
    engine: z.string().min(1).max(64).optional().meta({ description: "`comfyUI`, `automatic`, `voltaml`, `test`, …" }),
    models: z.array(z.string().min(1).max(512)).max(64).optional(),
    gpuType: z.string().min(1).max(256).optional(),
    vramBytesMin: z.int().min(0).optional(),
  })
  .meta({ id: "Requirements", description: "What a node must offer to run the task." });

/** Body of `POST /v2/tasks`. Strict: an unknown key is told, with the nearest known one. */
export const CreateTaskBody = z
  .strictObject({
    pipeline: V2Pipeline,
    maxCost: z.number().min(0).max(1e9).default(15).meta({ description: "The most that the caller pays, in credits." }),
    timeToMoneyRatio: z
      .number()
      .min(0)
      .max(1e9)
      .default(1)
      .meta({ description: "What a second of waiting is worth, in credits. 0: only the price counts." }),
    priority: z
      .int()
      .min(-10)
      .max(10)
      .default(0)
      .meta({ description: "Orders the caller's own tasks, and no others." }),
    requirements: V2Requirements.optional(),
    deadlineAt: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "Given up then. RFC 3339.", example: "2030-01-01T00:00:00Z" }),
    maxAttempts: z.int().min(1).max(100).default(5).meta({ description: "Attempts that may end by a node's fault." }),
    metadata: Metadata.optional(),
    webhook: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .optional()
      .meta({ description: "Told when the task has ended." }),
  })
  .meta({ id: "CreateTask" });
export type CreateTaskBody = z.infer<typeof CreateTaskBody>;
