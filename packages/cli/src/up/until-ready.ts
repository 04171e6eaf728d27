import { setTimeout as pause } from "node:timers/promises";
import { CliError } from "../cli-error.ts";

const EVERY_MS = 100;
const LIMIT_MS = 30_000;

/** Waits until a URL answers 200. False when `signal` is aborted before that: whoever aborted it knows why. Throws after 30 s. */
export async function untilReady(url: string, signal: AbortSignal): Promise<boolean> {
  const endMs = Date.now() + LIMIT_MS;
  while (!signal.aborted) {
    const ready = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) }).then(
      async (answer) => {
        await answer.body?.cancel();
        return answer.ok;
      },
      () => false,
    );
    if (ready) return true;
    if (Date.now() > endMs) throw new CliError("timeout", `${url} was not ready within ${LIMIT_MS / 1000} s.`);
    await pause(EVERY_MS);
  }
  return false;
}
