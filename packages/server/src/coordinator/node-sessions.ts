import type { AbortReason } from "@genai/dispatcher";
import type { Pipeline, Verdict } from "@genai/protocol";

/** A task on its way to a node. */
export interface Delivery {
  readonly attemptId: string;
  readonly pipeline: Pipeline;
  readonly limitMs: number;
  /** What the node's spans continue from; null or absent where nothing is traced. */
  readonly traceparent?: string | null;
}

/** What the coordinator asks of the connected nodes. Implemented by the node gateway; called only after the commit.
 *  Every call is fire and forget: a node that is gone is told to the coordinator by `nodeLost`. */
export interface NodeSessions {
  deliver(nodeId: string, delivery: Delivery): void;
  abort(nodeId: string, attemptId: string, reason: AbortReason): void;
  /** An answer to a result or an error; legacy nodes get none. */
  acknowledge(nodeId: string, attemptId: string, verdict: Verdict): void;
  /** Close the socket of a node that can be reached in no other way. */
  disconnect(nodeId: string, reason: string): void;
}
