import type { V1Result, V1Status } from "@genai/protocol";
import type { StoredTask, TaskArtifact, TaskState } from "../../tasks/stored-task.ts";

const STATUS: Readonly<Record<TaskState, V1Status>> = {
  queued: "PENDING",
  running: "PENDING",
  succeeded: "SUCCESS",
  failed: "FAILED",
  canceled: "CANCELED",
};

/** A task as v1 shows it. `error` is there only where it failed. */
export interface V1Task {
  readonly status: V1Status;
  readonly result: V1Result | null;
  readonly error?: string;
}

/** Makes the URL under which v1 shows an artifact. */
export type V1ImageUrl = (artifact: TaskArtifact) => Promise<string> | string;

export async function v1View(task: StoredTask, imageUrl: V1ImageUrl): Promise<V1Task> {
  return {
    status: STATUS[task.state],
    result: task.state === "succeeded" ? { images: await allOf(task.artifacts.map(imageUrl)) } : null,
    ...(task.state === "failed" ? { error: v1Error(task) } : {}),
  };
}

/** As `Promise.all`, which is not worth its price where all are here already. */
function allOf(images: readonly (string | Promise<string>)[]): readonly string[] | Promise<readonly string[]> {
  return images.every((image) => typeof image === "string") ? images : Promise.all(images);
}

/** Why a task has no result, in one sentence. */
export function v1Error(task: StoredTask): string {
  if (task.state === "canceled") return "the task was canceled";
  return task.error === null ? "the task failed" : task.error.message || task.error.code;
}
