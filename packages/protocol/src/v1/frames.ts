import { z } from "zod";
import { NodeId } from "../ids.ts";

const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === null ? undefined : value), schema.optional());

/** A legacy node introduces itself. Any field of metadata may be missing; without metadata the socket is closed with 1008. */
export const V1RegisterFrame = z.object({
  type: z.literal("register"),
  node_id: NodeId,
  metadata: z.object({
    models: optional(z.array(z.string().max(512)).max(10_000)),
    gpu_type: optional(z.string().max(256)),
    ncpu: optional(z.number()),
    /** Bytes of main memory. */
    ram: optional(z.number()),
  }),
});
export type V1RegisterFrame = z.infer<typeof V1RegisterFrame>;

/** Pictures, each an http(s) URL or a `data:image/…;base64,` URL; megabytes are normal. */
export const V1ResultFrame = z.object({
  type: z.literal("result"),
  status: z.literal("ready"),
  taskId: z.string().min(1).max(256),
  resultsUrl: z.array(z.string()).max(1_000),
});
export type V1ResultFrame = z.infer<typeof V1ResultFrame>;

/** A task failed; `error` is often the useless text `{}`. */
export const V1ErrorFrame = z.object({
  type: z.literal("error"),
  status: z.literal("error"),
  taskId: z.string().min(1).max(256),
  error: optional(z.unknown()),
  resultsUrl: optional(z.unknown()),
});
export type V1ErrorFrame = z.infer<typeof V1ErrorFrame>;

/** Accepted and ignored. */
export const V1StatusFrame = z.object({ type: z.literal("status") });

export const V1NodeFrame = z.discriminatedUnion("type", [V1RegisterFrame, V1ResultFrame, V1ErrorFrame, V1StatusFrame]);
export type V1NodeFrame = z.infer<typeof V1NodeFrame>;

/** What a legacy node is sent. No `type`, no other key, exactly one of the two options not null. */
export interface V1TaskFrame {
  readonly taskId: string;
  readonly options: {
    readonly prompt: string;
    readonly model: string;
    readonly size: { readonly width: number; readonly height: number } | null;
    readonly steps: number | null;
  } | null;
  readonly comfyOptions: {
    readonly pipelineData: string;
    readonly pipelineDependencies: { readonly images: string | null } | null;
  } | null;
}

export interface V1AbortFrame {
  readonly type: "abort";
  readonly taskId: string;
}

/** The plain text frame by which a node says that it leaves. */
export const V1_CLOSE_TEXT = "close";
