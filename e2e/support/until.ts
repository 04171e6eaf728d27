import { setTimeout } from "node:timers/promises";

/** Asks again and again until `look` gives something other than null or false; throws with `what` once `withinMs` have passed. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | false> | T | null | false,
  withinMs = 30_000,
): Promise<T> {
  const givenUpAtMs = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
    if (performance.now() > givenUpAtMs) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await setTimeout(20);
  }
}

/** Whether a GET of `url` is answered with a success. */
export async function answersWell(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
