import { setTimeout } from "node:timers/promises";

/** Pauses between two looks, in milliseconds: one at our own memory costs nothing and may be about a short moment, one that has to ask
 *  somebody else keeps him from his work. */
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
