import type { Clock } from "../clock.ts";

/** Longest wait that a Node timer can hold. */
const TIMER_MS_MAX = 2_147_483_647;

/** One timer, armed to the dispatcher's next deadline. */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #due: () => void;
  #timer: NodeJS.Timeout | null = null;
  #armedForMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Calls at `deadlineMs` of the monotonic clock, or a moment later. A later deadline than the one armed for is taken up when that
   *  one fires, which spares making a timer for every input. */
  arm(deadlineMs: number | null): void {
    if (deadlineMs === null || deadlineMs >= this.#armedForMs || this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#armedForMs = deadlineMs;
    const waitMs = Math.min(Math.max(0, Math.ceil(deadlineMs - this.#clock.monotonicMs())), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#armedForMs = Number.POSITIVE_INFINITY;
      this.#due();
    }, waitMs);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
