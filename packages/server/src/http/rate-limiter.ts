/** Keys per generation. Two generations are kept, so that the keys forgotten are those not seen for longest; together they take at most some 20 MB.
 *  Evicting single keys instead would be slow: finding the oldest in a large Map walks over all those deleted before it. */
const GENERATION_KEYS_MAX = 50_000;

export interface RateLimiterOptions {
  /** Requests in any minute that a key may make in one burst and then, evenly, for ever; null for no limit. */
  readonly perMinute: number | null;
  readonly nowMs?: () => number;
}

/** Limits requests by key (GCRA: one number a key, no timer). */
export class RateLimiter {
  readonly perMinute: number | null;
  /** By key, the instant until which what it did so far counts as spent. */
  #young = new Map<string, number>();
  #old: ReadonlyMap<string, number> = new Map();
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
    const spentUntil = Math.max(now, this.#spentUntilMsOf(key)) + this.#intervalMs;
    const waitMs = spentUntil - now - 60_000;
    // A hair of tolerance: 60 000 / perMinute is seldom a whole number.
    if (waitMs > 0.001) return waitMs;
    this.#young.set(key, spentUntil);
    if (this.#young.size >= GENERATION_KEYS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return 0;
  }

  /** Requests that a key may still make at once, and the milliseconds until it has all of them again. Counts nothing. */
  state(key: string): { readonly remaining: number; readonly resetMs: number } {
    if (this.#intervalMs === 0) return { remaining: Number.POSITIVE_INFINITY, resetMs: 0 };
    const spentMs = Math.max(0, this.#spentUntilMsOf(key) - this.#nowMs());
    const remaining = Math.floor((60_000 - spentMs) / this.#intervalMs + 1e-6);
    return { remaining: Math.max(0, remaining), resetMs: spentMs };
  }

  #spentUntilMsOf(key: string): number {
    return this.#young.get(key) ?? this.#old.get(key) ?? 0;
  }
}
