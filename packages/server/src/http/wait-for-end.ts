import type { Response } from "express";
import type { StoredTask } from "../tasks/stored-task.ts";
import type { HttpAppOptions } from "./http-options.ts";

/** The waits to give up when a server stops, by its stop signal. All of them share one listener, because adding and removing one per call costs
 *  more than the wait itself. */
const waiting = new WeakMap<AbortSignal, Set<Wait>>();

/** Emptied when the wait is over, because a `Set` may keep what it once held alive for long (see `SlotMap`). */
interface Wait {
  giveUp: (() => void) | null;
}

/** The task once it has ended; null when the time is up, the caller hangs up or the server stops. A hung-up call cancels nothing. */
export async function waitForEnd(
  { tasks, stopping }: Pick<HttpAppOptions, "tasks" | "stopping">,
  response: Response,
  taskId: string,
  timeoutMs: number,
): Promise<StoredTask | null> {
  const wait = tasks.awaitEnd(taskId, timeoutMs);
  const waits = waitsUntil(stopping);
  const place: Wait = { giveUp: wait.giveUp };
  waits.add(place);
  response.once("close", wait.giveUp);
  // No event comes from a caller that has hung up already.
  if (stopping.aborted || response.destroyed) wait.giveUp();
  try {
    return await wait.ended;
  } finally {
    response.off("close", wait.giveUp);
    waits.delete(place);
    place.giveUp = null;
  }
}

function waitsUntil(stopping: AbortSignal): Set<Wait> {
  const known = waiting.get(stopping);
  if (known !== undefined) return known;
  const waits = new Set<Wait>();
  waiting.set(stopping, waits);
  stopping.addEventListener("abort", () => {
    for (const { giveUp } of waits) giveUp?.();
  });
  return waits;
}
