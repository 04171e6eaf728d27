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
  const gone = new AbortController();
  const hangUp = (): void => gone.abort();
  response.once("close", hangUp);
  try {
    return await tasks.settled(taskId, timeoutMs, AbortSignal.any([gone.signal, stopping]));
  } finally {
    response.off("close", hangUp);
  }
}
