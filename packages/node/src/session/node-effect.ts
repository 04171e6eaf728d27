import type { NodeFrame } from "@genai/protocol";
import type { AttemptOrder, PreviewMime } from "./node-input.ts";

/** What the session asks its shell to do, in order. */
export type NodeEffect =
  /** Open a socket to the server. */
  | { readonly type: "connect" }
  | { readonly type: "close"; readonly code: number; readonly reason: string }
  /** A frame of protocol 2. `droppable` ones may be left out while the socket is congested. */
  | { readonly type: "send"; readonly frame: NodeFrame; readonly droppable: boolean }
  /** Best effort: left out while the socket is congested. */
  | { readonly type: "sendPreview"; readonly attemptId: string; readonly mime: PreviewMime; readonly bytes: Uint8Array }
  /** A WebSocket ping; its pong is a sign of life. */
  | { readonly type: "ping" }
  /** Register as a v1 node. */
  | { readonly type: "sendV1Register" }
  /** Send the kept result as a v1 frame with its pictures in it, then feed `deliveredV1` once it is written to the socket. */
  | { readonly type: "sendV1Final"; readonly attemptId: string }
  /** The plain text that ends a v1 session. */
  | { readonly type: "sendV1Close" }
  | { readonly type: "run"; readonly order: AttemptOrder }
  /** Stop the engine's work on it. */
  | { readonly type: "abort"; readonly attemptId: string }
  /** Put these pictures (null: all) where the attempt's upload URL says, then feed `uploaded` or
   *  `uploadFailed`. Asked again after each reconnect, and while it is under way; another URL than the one under way replaces it. */
  | {
      readonly type: "upload";
      readonly attemptId: string;
      readonly uploadUrl: string | null;
      readonly missing: readonly number[] | null;
    }
  /** It is delivered or no longer wanted: remove it from disk. */
  | { readonly type: "forget"; readonly attemptId: string }
  /** The session is over: nothing is running, and nothing is left that could be delivered now. */
  | { readonly type: "exit" };
