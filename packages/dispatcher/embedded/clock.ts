/** Where time comes from. */
export interface Clock {
  /** Milliseconds that only grow; their zero means nothing. */
  nowMs(): number;
  /** Runs something once, at an instant on this clock or soon after it; at once where it has passed. Returns how to call it off. */
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
