import { z } from "zod";

const promptId = z.string();

/** What ComfyUI says over its socket, as far as a run needs it; everything else is ignored. */
export const ComfyMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("status"), data: z.looseObject({ sid: z.string().optional() }) }),
  z.object({
    type: z.literal("execution_cached"),
    data: z.looseObject({ prompt_id: promptId, nodes: z.array(z.string()) }),
  }),
  z.object({
    type: z.literal("executing"),
    data: z.looseObject({ prompt_id: promptId.optional(), node: z.string().nullable() }),
  }),
  z.object({
    type: z.literal("progress"),
    data: z.looseObject({ prompt_id: promptId.nullish(), value: z.number(), max: z.number() }),
  }),
]);
export type ComfyMessage = z.infer<typeof ComfyMessage>;

/** One entry of `/history`. */
export const HistoryEntry = z.looseObject({
  outputs: z.record(z.string(), z.looseObject({ images: z.array(z.unknown()).optional() })),
  status: z
    .looseObject({
      status_str: z.string(),
      completed: z.boolean(),
      messages: z.array(z.tuple([z.string(), z.looseObject({})])),
    })
    .nullish(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

/** A picture that the engine saved. */
export const OutputImage = z.looseObject({
  filename: z.string(),
  subfolder: z.string().default(""),
  type: z.string().default("output"),
});
export type OutputImage = z.infer<typeof OutputImage>;

/** Answer to `POST /prompt` with 200. */
export const PromptAccepted = z.looseObject({ prompt_id: z.string(), node_errors: z.unknown().optional() });
export type PromptAccepted = z.infer<typeof PromptAccepted>;

/** A preview: event 1 has no id, event 4 (negotiated) has. */
export interface ComfyPreview {
  readonly promptId: string | null;
  readonly mime: "image/png" | "image/jpeg";
  readonly bytes: Buffer;
}

/** Reads a binary frame; null for what is no preview, or cut short. Integers are big-endian. */
export function readPreview(frame: Buffer): ComfyPreview | null {
  if (frame.length < 8) return null;
  const event = frame.readUInt32BE(0);
  const second = frame.readUInt32BE(4);
  if (event === 1) return { promptId: null, mime: second === 2 ? "image/png" : "image/jpeg", bytes: frame.subarray(8) };
  if (event !== 4 || frame.length < 8 + second) return null;
  try {
    const about = JSON.parse(frame.toString("utf8", 8, 8 + second)) as { prompt_id?: string; image_type?: string };
    const mime = about.image_type === "image/png" ? "image/png" : "image/jpeg";
    return { promptId: about.prompt_id ?? null, mime, bytes: frame.subarray(8 + second) };
  } catch {
    return null;
  }
}
