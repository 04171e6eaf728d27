/** A rest after a fault lasts 5 minutes at most (the dispatcher's backoff). One that seems to last longer than twice that, in milliseconds,
 *  was reckoned by a clock that was ahead then, or that went back since. */
export const REST_MS_MAX = 600_000;

/** How long a task rests still. */
export function restLeftMs({ notBeforeMs }: { readonly notBeforeMs: number }, nowMs: number): number {
  const leftMs = notBeforeMs - nowMs;
  return leftMs > REST_MS_MAX ? 0 : Math.max(0, leftMs);
}
