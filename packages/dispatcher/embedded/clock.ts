/** Where time comes from. */
export interface Clock {
  /** Monotonic milliseconds, from an arbitrary zero. */
  nowMs(): number;
  /** Runs a function once, at or soon after an instant on this clock; immediately if that has passed. Returns the function that cancels it. */
  runAt(atMs: number, run: () => void): () => void;
}

/** The longest that a timer of the platform may take. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  runAt: (atMs, run) => {
    // One that would be too long fires early, which does no harm: whoever is called looks at the time.
    const timer = setTimeout(run, Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(atMs - performance.now()))));
    return () => clearTimeout(timer);
  },
};
