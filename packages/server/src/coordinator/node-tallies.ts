import type { AttemptState } from "@genai/dispatcher";

/** How a node's attempts ended since the server started. */
export interface NodeTally {
  readonly succeeded: number;
  readonly failed: number;
  readonly rejected: number;
  /** Aborted, or lost with the node. */
  readonly other: number;
}

/** Nodes remembered; beyond it the one whose last attempt ended longest ago is forgotten. */
const NODES_MAX = 20_000;

const NOTHING: NodeTally = { succeeded: 0, failed: 0, rejected: 0, other: 0 };

/** Counts the ends of attempts by node. */
export class NodeTallies {
  readonly #byNode = new Map<string, NodeTally>();

  closed(nodeId: string, state: AttemptState): void {
    const tally = this.of(nodeId);
    const name = state === "succeeded" || state === "failed" || state === "rejected" ? state : "other";
    this.#byNode.delete(nodeId);
    this.#byNode.set(nodeId, { ...tally, [name]: tally[name] + 1 });
    if (this.#byNode.size <= NODES_MAX) return;
    const oldest = this.#byNode.keys().next();
    if (!oldest.done) this.#byNode.delete(oldest.value);
  }

  of(nodeId: string): NodeTally {
    return this.#byNode.get(nodeId) ?? NOTHING;
  }
}
