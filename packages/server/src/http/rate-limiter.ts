/** Most keys remembered; beyond it the one that was met longest ago is forgotten. At most some 20 MB. */
const KEYS_MAX = 100_000;

export interface RateLimiterOptions {
  /** Requests in any minute that a key may make in one burst and then, evenly, for ever; null for no limit. */
  readonly perMinute: number | null;
  readonly nowMs?: () => number;
}

/** Limits requests by key (GCRA: one number a key, no timer). */
export class RateLimiter {
  /** By key, the instant until which what it did so far counts as spent. In the order of the last request. */
  readonly #spentUntilMs = new Map<string, number>();
  readonly perMinute: number | null;
  readonly #intervalMs: number;
  readonly #nowMs: () => number;

  constructor(options: RateLimiterOptions) {
    this.perMinute = options.perMinute;
    this.#intervalMs = options.perMinute === null ? 0 : 60_000 / options.perMinute;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Counts one request. Returns 0 where it is allowed, else the milliseconds after which it would be. */
  take(key: string): number {
    if (this.#intervalMs === 0) return 0;
    const now = this.#nowMs();
    const spentUntil = Math.max(now, this.#spentUntilMs.get(key) ?? 0) + this.#intervalMs;
    const waitMs = spentUntil - now - 60_000;
    // A hair of tolerance: 60 000 / perMinute is seldom a whole number.
    if (waitMs > 0.001) return waitMs;
    this.#spentUntilMs.delete(key);
    this.#spentUntilMs.set(key, spentUntil);
    if (this.#spentUntilMs.size > KEYS_MAX) {
      const oldest = this.#spentUntilMs.keys().next();
      if (!oldest.done) this.#spentUntilMs.delete(oldest.value);
    }
    return 0;
  }

  /** Requests that a key may still make at once, and the milliseconds until it has all of them again. Counts nothing. */
  state(key: string): { readonly remaining: number; readonly resetMs: number } {
    const spentMs = Math.max(0, (this.#spentUntilMs.get(key) ?? 0) - this.#nowMs());
    const remaining =
      this.#intervalMs === 0 ? Number.POSITIVE_INFINITY : Math.floor((60_000 - spentMs) / this.#intervalMs + 1e-6);
    return { remaining: Math.max(0, remaining), resetMs: spentMs };
  }
}
