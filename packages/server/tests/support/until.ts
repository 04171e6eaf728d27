import { setTimeout } from "node:timers/promises";

const WITHIN_MS = 15_000;

/** Asks again and again until the answer is true. */
export async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  const givenUpAtMs = performance.now() + WITHIN_MS;
  while (!(await look())) {
    if (performance.now() > givenUpAtMs) throw new Error(`not within ${WITHIN_MS} ms: ${look.toString()}`);
    await setTimeout(10);
  }
}
