import type { Request } from "express";
import type { Caller } from "../identity/caller.ts";
import { isFromLoopback } from "./caller-of.ts";
import type { HttpSettings } from "./http-options.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** What a user may ask in a minute: few creations, many reads. The anonymous caller on this machine has no limit. */
export class RequestLimits {
  readonly #limiters: Readonly<Record<"creation" | "read", RateLimiter>>;

  constructor(settings: Pick<HttpSettings, "creationsPerMinute" | "readsPerMinute">) {
    this.#limiters = {
      creation: new RateLimiter({ perMinute: settings.creationsPerMinute }),
      read: new RateLimiter({ perMinute: settings.readsPerMinute }),
    };
  }

  /** Counts one request of its caller; refuses with `rate_limited`. */
  count(what: "creation" | "read", caller: Caller, request: Request): void {
    if (caller.anonymous && isFromLoopback(request)) return;
    const retryAfterMs = this.#limiters[what].take(caller.userId);
    if (retryAfterMs > 0) throw new HttpRefusal("rate_limited", { retryAfterMs });
  }
}
