import type { ProgressEvent, StateEvent, V2Task, V2TaskState } from "@genai/protocol";
import type { Client } from "@genai/protocol/client";

export interface TaskFollower {
  onState(state: V2TaskState, event: StateEvent): void;
  onProgress(event: ProgressEvent): void;
}

/** Follows a task to its end and returns it. Throws the signal's reason when aborted. */
export async function followTask(
  client: Client,
  taskId: string,
  follower: TaskFollower,
  signal: AbortSignal,
): Promise<V2Task> {
  for await (const event of client.follow(taskId, { signal })) {
    if (event.type === "state") follower.onState(event.data.state, event.data);
    else if (event.type === "progress") follower.onProgress(event.data);
  }
  const { body } = await client.getTask({ params: { taskId }, signal });
  if (body === null) throw new Error(`task ${taskId} came without a body`);
  return body;
}
