import { z } from "zod";
import { AttemptId, PlainNodeId } from "../ids.ts";

/** What a node offers. Sent whole on register and again, whole, when it changes. */
export const Capabilities = z.object({
  engine: z.string().min(1).max(64),
  engineVersion: z.string().max(128).nullable().default(null),
  /** False while the engine is not up: registered, but given no work. */
  ready: z.boolean().default(true),
  pipelines: z.array(z.enum(["standard", "comfy"])).max(2),
  /** Empty: it offers all. */
  models: z.array(z.string().max(512)).max(10_000).default([]),
  warmModel: z.string().max(512).nullable().default(null),
  gpuType: z.string().max(256).nullable().default(null),
  gpuCount: z.int().min(0).max(1_024).default(0),
  vramBytes: z.number().min(0).nullable().default(null),
  ramBytes: z.number().min(0).nullable().default(null),
  cpuCount: z.int().min(0).max(100_000).nullable().default(null),
  imageInput: z.boolean().default(false),
  /** Hash of the sorted list of ComfyUI node classes, or null. */
  nodeClassesHash: z.string().max(128).nullable().default(null),
  /** The list itself, where it was asked for. */
  nodeClasses: z.array(z.string().max(512)).max(20_000).optional(),
  /** Credits for a task, flat. */
  minCost: z.number().min(0).max(1e9).default(0),
});
export type Capabilities = z.infer<typeof Capabilities>;

/** An attempt that the node still has. */
export const HeldAttempt = z.object({ attemptId: AttemptId, state: z.enum(["running", "finished"]) });
export type HeldAttempt = z.infer<typeof HeldAttempt>;

export const RegisterFrame = z.object({
  type: z.literal("register"),
  protocol: z.literal(2),
  nodeId: PlainNodeId,
  /** New at each start of the node's process. */
  bootId: z.string().min(1).max(64),
  capabilities: Capabilities,
  /** How many attempts it runs at once. */
  slots: z.int().min(1).max(64),
  held: z.array(HeldAttempt).max(10_000),
});
export type RegisterFrame = z.infer<typeof RegisterFrame>;

export const CapabilitiesFrame = z.object({ type: z.literal("capabilities"), capabilities: Capabilities });
export type CapabilitiesFrame = z.infer<typeof CapabilitiesFrame>;

export const AcceptedFrame = z.object({ type: z.literal("accepted"), attemptId: AttemptId });
export type AcceptedFrame = z.infer<typeof AcceptedFrame>;

/** Handed back without a fault: busy, draining, out of disk. */
export const RejectedFrame = z.object({
  type: z.literal("rejected"),
  attemptId: AttemptId,
  reason: z.string().max(1_000),
});
export type RejectedFrame = z.infer<typeof RejectedFrame>;

export const ProgressFrame = z.object({
  type: z.literal("progress"),
  attemptId: AttemptId,
  value: z.number().min(0).max(1),
  stage: z.string().max(256).default(""),
});
export type ProgressFrame = z.infer<typeof ProgressFrame>;

/** Longest preview, in bytes, before base64. */
export const PREVIEW_BYTES_MAX = 512 * 1024;

export const PreviewFrame = z.object({
  type: z.literal("preview"),
  attemptId: AttemptId,
  mime: z.enum(["image/png", "image/jpeg", "image/webp"]),
  base64: z.string().max(Math.ceil(PREVIEW_BYTES_MAX / 3) * 4),
});
export type PreviewFrame = z.infer<typeof PreviewFrame>;

/** One uploaded picture; its place in the list is the number in its upload URL. */
export const ResultArtifact = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().min(1),
  mime: z.string().max(100),
  width: z.int().min(1).optional(),
  height: z.int().min(1).optional(),
  seed: z.int().min(0).optional(),
});
export type ResultArtifact = z.infer<typeof ResultArtifact>;

/** What the node measured, in milliseconds. */
export const Metrics = z.object({
  gpuMs: z.number().min(0).optional(),
  modelLoadMs: z.number().min(0).optional(),
  queuedMs: z.number().min(0).optional(),
  warmModel: z.string().max(512).nullable().optional(),
});
export type Metrics = z.infer<typeof Metrics>;

/** Kept on the node's disk until it is acked, and sent again after each reconnect. */
export const ResultFrame = z.object({
  type: z.literal("result"),
  attemptId: AttemptId,
  artifacts: z.array(ResultArtifact).max(1_000),
  metrics: Metrics.default({}),
});
export type ResultFrame = z.infer<typeof ResultFrame>;

export const ErrorFrame = z.object({
  type: z.literal("error"),
  attemptId: AttemptId,
  /** `task_invalid`, `out_of_memory`, `engine_down`, `timeout`, … */
  code: z.string().min(1).max(64),
  message: z.string().max(10_000),
  /** True: the node's fault, another may do better. False: the task's own, final. */
  retryable: z.boolean(),
});
export type ErrorFrame = z.infer<typeof ErrorFrame>;

export const HeartbeatFrame = z.object({
  type: z.literal("heartbeat"),
  seq: z.int().min(0),
  /** Free slots. */
  free: z.int().min(0).max(64),
  running: z.array(z.object({ attemptId: AttemptId, progress: z.number().min(0).max(1) })).max(64),
});
export type HeartbeatFrame = z.infer<typeof HeartbeatFrame>;

/** The node goes; what it lists it will not finish. */
export const LeavingFrame = z.object({
  type: z.literal("leaving"),
  handedBack: z.array(AttemptId).max(10_000).default([]),
});
export type LeavingFrame = z.infer<typeof LeavingFrame>;

/** Every frame that a protocol-2 node sends. */
export const NodeFrame = z.discriminatedUnion("type", [
  RegisterFrame,
  CapabilitiesFrame,
  AcceptedFrame,
  RejectedFrame,
  ProgressFrame,
  PreviewFrame,
  ResultFrame,
  ErrorFrame,
  HeartbeatFrame,
  LeavingFrame,
]);
export type NodeFrame = z.infer<typeof NodeFrame>;
