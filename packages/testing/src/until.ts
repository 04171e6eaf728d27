import { setTimeout } from "node:timers/promises";

/** Pauses between two looks, in milliseconds. A look at this process's memory is free and may be after a short-lived state; one that has to ask another
 *  process takes that process's time. */
const OWN_PAUSE_MS = 2;
const ASKED_PAUSE_MS = 20;

type Seen<T> = T | null | undefined | false;

/** Looks again and again until there is something other than null, undefined or false, and gives that; throws with `what` once `withinMs`
 *  have passed. */
export async function until<T>(what: string, look: () => Promise<Seen<T>> | Seen<T>, withinMs = 30_000): Promise<T> {
  const givenUpAtMs = performance.now() + withinMs;
  for (;;) {
    const looked = look();
    const seen = await looked;
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > givenUpAtMs) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await setTimeout(looked instanceof Promise ? ASKED_PAUSE_MS : OWN_PAUSE_MS);
  }
}
