const WINDOW_MS = 60_000;

/** Stops two machines from replacing each other forever under one node id. */
export class ReplacementDamper {
  readonly #countMax: number;
  /** By node id, the times of its replacements within the last minute. */
  readonly #replacedAtMs = new Map<string, number[]>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** May a new connection take this node id from the one that has it? Counted as a replacement if so. */
  mayReplace(nodeId: string, nowMs: number): boolean {
    const recent = (this.#replacedAtMs.get(nodeId) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
    if (recent.length >= this.#countMax) return false;
    recent.push(nowMs);
    this.#replacedAtMs.set(nodeId, recent);
    return true;
  }

  /** Forgets what is over. */
  sweep(nowMs: number): void {
    for (const [nodeId, replacedAtMs] of this.#replacedAtMs) {
      if (nowMs - (replacedAtMs.at(-1) ?? 0) >= WINDOW_MS) this.#replacedAtMs.delete(nodeId);
    }
  }
}
