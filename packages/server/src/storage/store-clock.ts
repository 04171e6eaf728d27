/** Wall time in milliseconds that no change of the system's clock moves: read once at the start, then counted
 *  monotonically. Whatever the store decides by time (deadlines, retention, leases of webhooks) hangs on it. */
export type StoreClock = () => number;

export function anchoredClock(): StoreClock {
  const anchorMs = Date.now() - performance.now();
  return () => Math.floor(anchorMs + performance.now());
}
