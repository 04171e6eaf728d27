import type {
  Capabilities,
  ErrorFrame,
  Pipeline,
  ResultFrame,
  ServerFrame,
  V1AbortFrame,
  V1TaskFrame,
} from "@genai/protocol";

/** The last word on an attempt, as it is kept on the disk until the server has acked it. */
export type FinalFrame = ResultFrame | ErrorFrame;

/** Everything that the session can hear. Each comes with the time, a monotonic number of milliseconds. */
export type NodeInput =
  | { readonly type: "started" }
  /** The socket is open. */
  | { readonly type: "opened" }
  /** The socket is gone, or could not be opened. `code` and `reason`: what the server closed it with, or null and nothing. */
  | { readonly type: "closed"; readonly code: number | null; readonly reason?: string }
  /** Any byte came. */
  | { readonly type: "heard" }
  | { readonly type: "frame"; readonly frame: ServerFrame }
  /** A frame without a `type`: only a server that speaks v1 sends that. */
  | { readonly type: "v1Task"; readonly frame: V1TaskFrame }
  | { readonly type: "v1Abort"; readonly frame: V1AbortFrame }
  | { readonly type: "progressed"; readonly attemptId: string; readonly value: number; readonly stage: string }
  | { readonly type: "previewed"; readonly attemptId: string; readonly mime: PreviewMime; readonly bytes: Uint8Array }
  /** An attempt ended and its last word and pictures are on the disk. */
  | { readonly type: "finished"; readonly attemptId: string; readonly final: FinalFrame }
  /** The engine stopped at our own word; there is nothing to tell. */
  | { readonly type: "stopped"; readonly attemptId: string }
  /** Its pictures are on the server, or the server wants none of them. */
  | { readonly type: "uploaded"; readonly attemptId: string }
  /** They could not be brought there now. `isBusy`: the server itself says that it can't take them at present, as with a full disk. */
  | { readonly type: "uploadFailed"; readonly attemptId: string; readonly isBusy?: boolean }
  /** A v1 result is written to the socket: v1 knows no other receipt. */
  | { readonly type: "deliveredV1"; readonly attemptId: string }
  | { readonly type: "capabilitiesChanged"; readonly capabilities: Capabilities }
  /** Take no more work and leave when the running is done. */
  | { readonly type: "drain" }
  /** Hand back what runs and leave now. */
  | { readonly type: "leave" }
  /** Time has come for `nextDeadlineMs()`. */
  | { readonly type: "tick" };

export type PreviewMime = "image/png" | "image/jpeg" | "image/webp";

/** An attempt to run. */
export interface AttemptOrder {
  readonly attemptId: string;
  /** Null where it is to be fetched from `pipelineUrl`. */
  readonly pipeline: Pipeline | null;
  readonly pipelineUrl: string | null;
  readonly limitMs: number;
  /** With `{n}` for the number of the picture; null on v1, where pictures travel in the result. */
  readonly uploadUrl: string | null;
  /** What this node's spans of it continue from, where its server traces it. */
  readonly traceparent: string | null;
}
