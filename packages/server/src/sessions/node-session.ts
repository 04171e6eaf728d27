import type { AbortReason, Provider } from "@genai/dispatcher";
import type { HeldAttempt, Verdict } from "@genai/protocol";
import type { Delivery } from "../coordinator/node-sessions.ts";

/** How the end of a session counts for the coordinator. */
export type Departure = "broken" | "left";

/** One registered connection of one node, in the node's own protocol. */
export interface NodeSession {
  readonly protocol: 1 | 2;
  readonly bootId: string | null;
  /** Attempts that the node listed when it registered. */
  readonly held: readonly HeldAttempt[];
  readonly provider: Provider;
  /** Longest message that it may send, in bytes. */
  readonly frameBytesMax: number;
  /** The coordinator has accepted the node; `keep` and `stop` are its answer to `held`. */
  joined(answer: { readonly keep: readonly string[]; readonly stop: readonly string[] }): void;
  /** Handles a frame. Returns a promise if the next frame has to wait. */
  frame(text: string): void | Promise<void>;
  deliver(delivery: Delivery): void;
  abort(attemptId: string, reason: AbortReason): void;
  acknowledge(attemptId: string, verdict: Verdict): void;
  /** Tells the node that the server is about to restart, if its protocol can express that. */
  reconnect(afterMs: number): void;
  /** What the end of the socket means; `clean` where the node closed it by a close frame. */
  departure(clean: boolean): Departure;
}
