/** Where time comes from: a monotonic clock for decisions, the wall clock only for what is shown. */
export interface Clock {
  /** Milliseconds that only grow; their zero means nothing. */
  monotonicMs(): number;
  /** Milliseconds since 1970 in UTC, as the machine believes. */
  wallMs(): number;
}

export const systemClock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
