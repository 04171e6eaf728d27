import type { StoredTask } from "../tasks/stored-task.ts";

/** What a webhook says of a task's end, in the form of Standard Webhooks. It names the artifacts without their URLs, which
 *  expire; whoever hears it fetches the task. */
export function webhookBody(task: StoredTask): string {
  return JSON.stringify({
    type: `task.${task.state}`,
    timestamp: new Date(task.settledAtMs ?? 0).toISOString(),
    data: {
      taskId: task.taskId,
      state: task.state,
      metadata: task.metadata === null ? null : JSON.parse(task.metadata),
      artifacts: task.artifacts.map(({ index, sha256, bytes, mime }) => ({ index, sha256, bytes, mime })),
      error: task.error,
    },
  });
}
