import type { Provider } from "@genai/dispatcher";
import type { Metrics } from "@genai/protocol";
import type { AttemptUploads } from "../artifacts/attempt-uploads.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";

/** An attempt that a node says it still has. */
export interface Held {
  readonly attemptId: string;
  readonly state: "running" | "finished";
}

/** What became of a session's join: which of the held attempts to keep and which to stop, or why the node can't be taken in at present. */
export type Joined =
  | { readonly type: "joined"; readonly keep: readonly string[]; readonly stop: readonly string[] }
  | { readonly type: "refused"; readonly reason: string };

/** What sessions tell the coordinator. The node id is the session's own, never one from a frame; an attempt of another node changes nothing. */
export interface NodeEvents {
  /** A session registered (the newest of its id). `bootId` names the node's process; null, as of a legacy node, whose id lives as long as its
   *  process. Resolves after the commit; of one that is refused nothing more is heard. */
  nodeJoined(provider: Provider, held: readonly Held[], bootId?: string | null): Promise<Joined>;
  nodeChanged(provider: Provider): void;
  /** It is to be given no more: it said that it leaves, or its socket is gone and what it sent before is not heard out yet. */
  nodeLeaves(nodeId: string): void;
  /** `broken`: the socket is gone (protocol 2). `left`: a clean leave, or any end of a legacy node. */
  nodeLost(nodeId: string, how: "broken" | "left"): void;
  /** Bytes came, or our own bytes went out. Cheap. */
  nodeHeard(nodeId: string): void;
  /** By an administrator: it is given no more until `undrain`, or until its process ends. A node that reconnects stays drained. */
  drain(nodeId: string): void;
  undrain(nodeId: string): void;
  attemptAccepted(nodeId: string, attemptId: string): void;
  attemptRejected(nodeId: string, attemptId: string, reason: string): void;
  attemptProgressed(nodeId: string, attemptId: string, value: number, stage: string): void;
  /** Live only, never stored. */
  attemptPreviewed(nodeId: string, attemptId: string, mime: string, bytes: Uint8Array): void;
  /** The artifacts are on the disk and checked. The verdict goes out through {@link NodeSessions.acknowledge} after the commit. */
  attemptCompleted(nodeId: string, attemptId: string, artifacts: readonly TaskArtifact[], metrics: Metrics): void;
  /** `unexplained` for a legacy node's error. */
  attemptFailed(
    nodeId: string,
    attemptId: string,
    error: { readonly code: string; readonly message: string },
    fault: "task" | "node" | "unexplained",
  ): void;
  /** What was and may be uploaded for an attempt, where it is open and was given to this node (null: to any); else null. */
  uploadsOf(nodeId: string | null, attemptId: string): AttemptUploads | null;
}
