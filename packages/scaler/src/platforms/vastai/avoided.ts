/** Machines and offers that failed, each to be avoided for a time. Remembers at most `entriesMax`; the oldest are forgotten first. */
export class Avoided {
  readonly #now: () => number;
  readonly #entriesMax: number;
  readonly #untilMs = new Map<string, number>();

  constructor(now: () => number, entriesMax = 1000) {
    this.#now = now;
    this.#entriesMax = entriesMax;
  }

  add(id: string, forMs: number): void {
    this.#untilMs.delete(id);
    this.#untilMs.set(id, this.#now() + forMs);
    if (this.#untilMs.size <= this.#entriesMax) return;
    const [oldest] = this.#untilMs.keys();
    if (oldest !== undefined) this.#untilMs.delete(oldest);
  }

  has(id: string): boolean {
    const untilMs = this.#untilMs.get(id);
    return untilMs !== undefined && untilMs > this.#now();
  }
}
