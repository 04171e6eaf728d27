/** Progress of a running graph: (finished nodes + share of the running one) / nodes to run. */
export class GraphProgress {
  readonly #toRun: Set<string>;
  readonly #finished = new Set<string>();
  #running: string | null = null;
  #share = 0;

  constructor(nodeIds: Iterable<string>) {
    this.#toRun = new Set(nodeIds);
  }

  /** Nodes that the engine has from an earlier run. */
  cached(nodeIds: readonly string[]): void {
    for (const id of nodeIds) this.#toRun.delete(id);
  }

  executing(nodeId: string): void {
    if (this.#running !== null && this.#running !== nodeId) this.#finished.add(this.#running);
    this.#running = nodeId;
    this.#share = 0;
    // A node that expands into others brings ids that the graph does not name.
    this.#toRun.add(nodeId);
  }

  step(value: number, max: number): void {
    this.#share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  }

  get running(): string | null {
    return this.#running;
  }

  /** 0 to 1. May fall when the engine finds more to do; whoever shows it keeps the greatest. */
  get value(): number {
    return this.#toRun.size === 0 ? 0 : Math.min(1, (this.#finished.size + this.#share) / this.#toRun.size);
  }
}
