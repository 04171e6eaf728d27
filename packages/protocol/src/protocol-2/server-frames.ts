import { z } from "zod";
import { AttemptId } from "../ids.ts";
import { Pipeline } from "../pipeline.ts";

/** Answer to `register`. */
export const RegisteredFrame = z.object({
  type: z.literal("registered"),
  protocol: z.literal(2),
  leaseMs: z.int().min(1_000),
  heartbeatMs: z.int().min(100),
  /** Longest frame that the server reads, in bytes. */
  frameBytesMax: z.int().min(1_024),
  /** Held attempts to go on with. */
  keep: z.array(AttemptId),
  /** Held attempts to stop: somebody else has done them, or nobody wants them. */
  stop: z.array(AttemptId),
});
export type RegisteredFrame = z.infer<typeof RegisteredFrame>;

/** An attempt to run. */
export const TaskFrame = z.object({
  type: z.literal("task"),
  attemptId: AttemptId,
  /** Large pipelines do not fit a frame: then `pipeline` is absent and is fetched from `pipelineUrl`. */
  pipeline: Pipeline.optional(),
  pipelineUrl: z.string().max(8_192).optional(),
  limitMs: z.int().min(1),
  /** Signed; picture number n (from 0) is PUT to it with `{n}` replaced by n. */
  uploadUrl: z.string().max(8_192),
  /** Where the server records traces: what the node's own spans continue from, as W3C's `traceparent` header has it. One that can't be
   *  read is no reason to refuse a task. */
  traceparent: z.string().max(256).optional(),
});
export type TaskFrame = z.infer<typeof TaskFrame>;

export const AbortReason = z.enum(["canceled", "superseded", "limit", "deadline", "lost", "withdrawn"]);
export type AbortReason = z.infer<typeof AbortReason>;

export const AbortFrame = z.object({ type: z.literal("abort"), attemptId: AttemptId, reason: AbortReason });
export type AbortFrame = z.infer<typeof AbortFrame>;

export const Verdict = z.enum(["accepted", "duplicate", "stale", "canceled"]);
export type Verdict = z.infer<typeof Verdict>;

/** A result or an error is on the server's disk (or not wanted): the node may forget it. Sent after the commit. */
export const AckFrame = z.object({ type: z.literal("ack"), attemptId: AttemptId, verdict: Verdict });
export type AckFrame = z.infer<typeof AckFrame>;

export const HeartbeatAckFrame = z.object({
  type: z.literal("heartbeatAck"),
  seq: z.int().min(0),
  stop: z.array(z.object({ attemptId: AttemptId, reason: AbortReason })),
});
export type HeartbeatAckFrame = z.infer<typeof HeartbeatAckFrame>;

/** Take no more work, finish what runs. Understood by nodes; this server does not send it, since no frame takes it back. */
export const DrainFrame = z.object({ type: z.literal("drain") });
/** The server goes away for a moment: reconnect after this many milliseconds, with what you hold. */
export const ReconnectFrame = z.object({ type: z.literal("reconnect"), afterMs: z.int().min(0).max(600_000) });
/** A result's artifacts are not what they should be: upload them again, then send the result again. */
export const UploadFrame = z.object({
  type: z.literal("upload"),
  attemptId: AttemptId,
  uploadUrl: z.string().max(8_192),
  /** Numbers of the pictures that are missing or differ. */
  missing: z.array(z.int().min(0)).max(1_000),
});
export type UploadFrame = z.infer<typeof UploadFrame>;

/** The reason that comes with the close code 1008 where a node registers with the id of another: to speak another protocol would not help. */
export const FOREIGN_NODE_ID = "this id belongs to another node";

/** Send the capabilities again with the list of node classes in them: its hash is not known here. */
export const NodeClassesFrame = z.object({ type: z.literal("nodeClasses") });

/** Every frame that a server sends to a protocol-2 node. */
export const ServerFrame = z.discriminatedUnion("type", [
  RegisteredFrame,
  TaskFrame,
  AbortFrame,
  AckFrame,
  HeartbeatAckFrame,
  DrainFrame,
  ReconnectFrame,
  UploadFrame,
  NodeClassesFrame,
]);
export type ServerFrame = z.infer<typeof ServerFrame>;
