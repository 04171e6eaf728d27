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
  const wait = tasks.awaitEnd(taskId, timeoutMs);
  stopping.addEventListener("abort", wait.giveUp);
  response.once("close", wait.giveUp);
  if (stopping.aborted) wait.giveUp();
  try {
    return await wait.ended;
  } finally {
    response.off("close", wait.giveUp);
    stopping.removeEventListener("abort", wait.giveUp);
  }
}
