import type { Response } from "express";
import type { StoredTask } from "../tasks/stored-task.ts";
import type { HttpAppOptions } from "./http-options.ts";

/** The task once it has ended; null when the time is up, the caller hangs up or the server stops. A hung-up call cancels nothing. */
export async function waitForEnd(
  { tasks, stopping }: Pick<HttpAppOptions, "tasks" | "stopping">,
  response: Response,
  taskId: string,
  timeoutMs: number,
): Promise<StoredTask | null> {
  const over = new AbortController();
  const end = (): void => over.abort();
  // Not `AbortSignal.any`: its weak references cost the garbage collector more than the rest of this call.
  stopping.addEventListener("abort", end);
  response.once("close", end);
  if (stopping.aborted) end();
  try {
    return await tasks.settled(taskId, timeoutMs, over.signal);
  } finally {
    response.off("close", end);
    stopping.removeEventListener("abort", end);
  }
}
