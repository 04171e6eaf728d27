import { ServerFrame } from "@genai/protocol";
import { z } from "zod";
import type { NodeInput } from "./session/node-input.ts";

/** A v1 server's task, as a stock node takes it: anything more is ignored. */
const V1Task = z.object({
  taskId: z.string().min(1).max(256),
  options: z
    .object({
      prompt: z.string(),
      model: z.string().default(""),
      size: z
        .object({ width: z.number(), height: z.number() })
        .nullish()
        .transform((size) => size ?? null),
      steps: z
        .number()
        .nullish()
        .transform((steps) => steps ?? null),
    })
    .nullish()
    .transform((options) => options ?? null),
  comfyOptions: z
    .object({
      pipelineData: z.string(),
      pipelineDependencies: z
        .object({
          images: z
            .string()
            .nullish()
            .transform((images) => images ?? null),
        })
        .nullish()
        .transform((dependencies) => dependencies ?? null),
    })
    .nullish()
    .transform((options) => options ?? null),
});

const V1Abort = z.object({ type: z.literal("abort"), taskId: z.string().min(1).max(256) });

/** What a text frame of the server says, or null where it can't be read (which is ignored, never fatal). */
export function readServerFrame(text: string): NodeInput | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if (!("type" in value)) {
    const task = V1Task.safeParse(value);
    return task.success ? { type: "v1Task", frame: task.data } : null;
  }
  const frame = ServerFrame.safeParse(value);
  if (frame.success) return { type: "frame", frame: frame.data };
  const abort = V1Abort.safeParse(value);
  return abort.success ? { type: "v1Abort", frame: abort.data } : null;
}
