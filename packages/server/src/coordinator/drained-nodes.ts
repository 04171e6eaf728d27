/** Drains that are remembered; beyond it the oldest is forgotten. */
const DRAINED_MAX = 10_000;

/** Nodes that an administrator drained. It holds for as long as the node's process lives: a node that reconnects is the same one, one that
 *  was started anew is another. */
export class DrainedNodes {
  /** By node id: the process that it was, null where a node names none. Oldest first. */
  readonly #bootIds = new Map<string, string | null>();

  drain(nodeId: string, bootId: string | null): void {
    this.#bootIds.delete(nodeId);
    this.#bootIds.set(nodeId, bootId);
    if (this.#bootIds.size <= DRAINED_MAX) return;
    const [oldest] = this.#bootIds.keys();
    if (oldest !== undefined) this.#bootIds.delete(oldest);
  }

  undrain(nodeId: string): void {
    this.#bootIds.delete(nodeId);
  }

  /** Whether a node that joins is still drained; where it is another process now, that is the end of it. */
  holds(nodeId: string, bootId: string | null): boolean {
    if (this.#bootIds.get(nodeId) === bootId) return true;
    this.#bootIds.delete(nodeId);
    return false;
  }
}
