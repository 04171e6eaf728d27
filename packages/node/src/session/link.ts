import { FOREIGN_NODE_ID } from "@genai/protocol";
import { fraction, reconnectDelayMs } from "./reconnect-backoff.ts";

/** State of the connection to the server. */
export type LinkPhase = "idle" | "waiting" | "connecting" | "registering" | "registered" | "v1" | "over";

/** How long to wait for `registered` before assuming a server that speaks only v1. */
const REGISTER_MS = 3_000;
/** How long the socket may be silent before it counts as dead, whatever TCP believes. */
const SILENCE_MS = 25_000;
/** A v1 server may never say anything by itself: a ping asks whether it is there. */
const PING_MS = 10_000;
/** A connection that lasted this long was a good one, so the first retry after it comes soon. */
const GOOD_MS = 10_000;
/** Wait when another node has our id or the server can't accept us: longer than any backoff. */
const SENT_AWAY_MS = 60_000;

const POLICY = 1008;
const TRY_LATER = 1013;
const REPLACED = 4001;

/** What has to be done on the link. */
export type LinkDue = "connect" | "speakV1" | "ping" | "giveUp" | null;

/** The connection to the server over time: when to connect, how long to wait for answers, when a silent socket is dead. */
export class Link {
  readonly #salt: string;
  #phase: LinkPhase = "idle";
  #failures = 0;
  #sinceMs = 0;
  #heardAtMs = 0;
  #pingAtMs = 0;
  #connectAtMs = 0;
  #speaksV1Next = false;

  /** `salt` determines the jitter. */
  constructor(salt: string) {
    this.#salt = salt;
  }

  get phase(): LinkPhase {
    return this.#phase;
  }

  get isOpen(): boolean {
    return this.#phase === "registered" || this.#phase === "v1";
  }

  connecting(nowMs: number): void {
    this.#enter("connecting", nowMs);
  }

  /** The socket is open. True where v1 is to be spoken on it: the server refused a connection that spoke protocol 2. */
  opened(nowMs: number): boolean {
    const speaksV1 = this.#speaksV1Next;
    this.#speaksV1Next = false;
    this.#heardAtMs = nowMs;
    if (speaksV1) this.speaksV1(nowMs);
    else this.#enter("registering", nowMs);
    return speaksV1;
  }

  registered(nowMs: number): void {
    this.#enter("registered", nowMs);
  }

  speaksV1(nowMs: number): void {
    this.#pingAtMs = nowMs + PING_MS;
    this.#enter("v1", nowMs);
  }

  heard(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /** The socket is gone; `code` and `reason` are what the server closed it with, or null and nothing. */
  closed(nowMs: number, code: number | null, reason: string): void {
    const isForeignId = code === POLICY && reason === FOREIGN_NODE_ID;
    // A server that knows only v1 misses the metadata in our register, and says so.
    if (this.#phase === "registering") this.#speaksV1Next = code === POLICY && !isForeignId;
    const wasGood = this.isOpen && nowMs - this.#sinceMs >= GOOD_MS;
    this.#failures = wasGood ? 1 : this.#failures + 1;
    const sentAway = code === TRY_LATER || code === REPLACED || isForeignId;
    // Less a jitter of up to half, as every wait.
    const sentAwayMs = SENT_AWAY_MS * (1 - fraction(`${this.#salt}/away/${this.#failures}`) / 2);
    this.wait(nowMs, sentAway ? sentAwayMs : reconnectDelayMs(this.#failures, this.#salt));
  }

  /** Waits for `forMs`, then connects again. */
  wait(nowMs: number, forMs: number): void {
    this.#connectAtMs = nowMs + forMs;
    this.#enter("waiting", nowMs);
  }

  over(): void {
    this.#phase = "over";
  }

  due(nowMs: number): LinkDue {
    switch (this.#phase) {
      case "waiting":
        return nowMs >= this.#connectAtMs ? "connect" : null;
      case "connecting":
        return nowMs >= this.#sinceMs + SILENCE_MS ? "giveUp" : null;
      case "registering":
        return nowMs >= this.#sinceMs + REGISTER_MS ? "speakV1" : null;
      case "v1":
        if (nowMs >= this.#heardAtMs + SILENCE_MS) return "giveUp";
        if (nowMs < this.#pingAtMs) return null;
        this.#pingAtMs = nowMs + PING_MS;
        return "ping";
      case "registered":
        return nowMs >= this.#heardAtMs + SILENCE_MS ? "giveUp" : null;
      case "idle":
      case "over":
        return null;
    }
  }

  /** When something will be due; Infinity for never. */
  nextDueMs(): number {
    switch (this.#phase) {
      case "waiting":
        return this.#connectAtMs;
      case "connecting":
        return this.#sinceMs + SILENCE_MS;
      case "registering":
        return this.#sinceMs + REGISTER_MS;
      case "v1":
        return Math.min(this.#heardAtMs + SILENCE_MS, this.#pingAtMs);
      case "registered":
        return this.#heardAtMs + SILENCE_MS;
      case "idle":
      case "over":
        return Number.POSITIVE_INFINITY;
    }
  }

  #enter(phase: LinkPhase, nowMs: number): void {
    this.#phase = phase;
    this.#sinceMs = nowMs;
  }
}
