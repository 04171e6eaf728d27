import type { Request } from "express";
import type { Authenticate, Caller } from "../identity/caller.ts";
import { addressKey } from "./address-key.ts";
import { callerOf, isFromLoopback } from "./caller-of.ts";
import type { HttpSettings } from "./http-options.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { RateLimiter } from "./rate-limiter.ts";

type What = "creation" | "read";

/** Reads that an address has for each creation. */
const READS_PER_CREATION = 100;

/** What a user, and a network address, may ask in a minute: few creations, many reads. The anonymous caller on this machine has no limit,
 *  and this machine as an address none either. */
export class RequestLimits {
  readonly #ofUser: Readonly<Record<What, RateLimiter>>;
  readonly #ofAddress: Readonly<Record<What, RateLimiter>>;

  constructor(
    settings: Pick<HttpSettings, "creationsPerMinute" | "readsPerMinute" | "creationsPerMinuteAndAddress">,
    nowMs?: () => number,
  ) {
    const limiter = (perMinute: number | null): RateLimiter =>
      new RateLimiter({ perMinute, ...(nowMs === undefined ? {} : { nowMs }) });
    const ofAddress = settings.creationsPerMinuteAndAddress;
    this.#ofUser = { creation: limiter(settings.creationsPerMinute), read: limiter(settings.readsPerMinute) };
    this.#ofAddress = {
      creation: limiter(ofAddress),
      read: limiter(ofAddress === null ? null : ofAddress * READS_PER_CREATION),
    };
  }

  /** The caller whose token this is. Tokens that are refused count as creations of their address: guessing is slow. */
  async callerOf(authenticate: Authenticate, token: string | null, request: Request): Promise<Caller> {
    try {
      return await callerOf(authenticate, token);
    } catch (error) {
      if (error instanceof HttpRefusal && error.code === "unauthenticated") this.countAddress("creation", request);
      throw error;
    }
  }

  /** Counts one request of its caller; refuses with `rate_limited`. */
  count(what: What, caller: Caller, request: Request): void {
    if (isFromLoopback(request)) {
      if (caller.anonymous) return;
    } else this.countAddress(what, request);
    const retryAfterMs = this.#ofUser[what].take(caller.userId);
    if (retryAfterMs > 0) {
      throw new HttpRefusal("rate_limited", { retryAfterMs, headers: this.headers(what, caller, request) });
    }
  }

  /** Counts one request of an address, whoever it is of: a call without a caller, a token that was refused. */
  countAddress(what: What, request: Request): void {
    if (isFromLoopback(request)) return;
    const retryAfterMs = this.#ofAddress[what].take(addressKey(request.ip ?? ""));
    if (retryAfterMs > 0) throw new HttpRefusal("rate_limited", { retryAfterMs });
  }

  /** What is left to the caller, as the IETF's draft of RateLimit headers has it; nothing where there is no limit. */
  headers(what: What, caller: Caller, request: Request): Readonly<Record<string, string>> {
    const limiter = this.#ofUser[what];
    if (limiter.perMinute === null || (caller.anonymous && isFromLoopback(request))) return {};
    const { remaining, resetMs } = limiter.state(caller.userId);
    return {
      "RateLimit-Policy": `"${what}";q=${limiter.perMinute};w=60`,
      RateLimit: `"${what}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`,
    };
  }
}
