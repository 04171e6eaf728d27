import type { Response } from "express";
import type { StoredTask } from "../tasks/stored-task.ts";
import type { HttpAppOptions } from "./http-options.ts";

/** Who gives up when a server stops, by what tells that: one listener for all of them, since to add one for each call and take it away
 *  again costs more than the wait itself. */
const waiting = new WeakMap<AbortSignal, Set<Wait>>();

/** Emptied when it is over: what a `Set` held may be kept by it for long (see `SlotMap`). */
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
  // Who has hung up by now is not heard to.
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
