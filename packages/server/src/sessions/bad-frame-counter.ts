const WINDOW_MS = 60_000;

/** Counts frames that could not be read, over a sliding minute. */
export class BadFrameCounter {
  readonly #countMax: number;
  readonly #atMs: number[] = [];

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** True when this one is one too many. */
  add(nowMs: number): boolean {
    this.#atMs.push(nowMs);
    if (this.#atMs.length < this.#countMax) return false;
    const oldest = this.#atMs.shift() ?? nowMs;
    return nowMs - oldest < WINDOW_MS;
  }
}
