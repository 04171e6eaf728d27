import type { Caller } from "./caller.ts";

/** Longest time for which a token counts without being verified anew, in milliseconds: so much longer than the issuer's keys are cached a
 *  key that it withdrew may still open something. */
const REMEMBERED_MS = 60_000;

/** Tokens remembered; beyond it the one that was verified longest ago is verified anew. */
const TOKENS_MAX = 10_000;

interface Remembered {
  readonly caller: Caller;
  /** By the monotonic clock. */
  readonly untilMs: number;
  /** The token's own end by the wall clock. */
  readonly expiresAtMs: number;
}

/** Tokens that were verified a moment ago, by their hash: a client sends the same one with each call, and to verify it is a fifth of what a
 *  task costs. Only what was accepted is remembered, so nobody fills it with guesses. */
export class VerifiedTokens {
  /** Oldest first. */
  readonly #byHash = new Map<string, Remembered>();
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;

  constructor({
    nowMs = () => performance.now(),
    wallMs = Date.now,
  }: {
    readonly nowMs?: () => number;
    readonly wallMs?: () => number;
  } = {}) {
    this.#nowMs = nowMs;
    this.#wallMs = wallMs;
  }

  /** Whose token it is, or null where it has to be verified. */
  callerOf(tokenHash: string): Caller | null {
    const remembered = this.#byHash.get(tokenHash);
    if (remembered === undefined) return null;
    if (this.#nowMs() < remembered.untilMs && this.#wallMs() < remembered.expiresAtMs) return remembered.caller;
    this.#byHash.delete(tokenHash);
    return null;
  }

  /** A token was verified; `expiresAtMs` is when it ends by the wall clock, infinity for never. */
  verified(tokenHash: string, caller: Caller, expiresAtMs: number): void {
    this.#byHash.delete(tokenHash);
    this.#byHash.set(tokenHash, { caller, untilMs: this.#nowMs() + REMEMBERED_MS, expiresAtMs });
    if (this.#byHash.size <= TOKENS_MAX) return;
    const oldest = this.#byHash.keys().next();
    if (!oldest.done) this.#byHash.delete(oldest.value);
  }
}
