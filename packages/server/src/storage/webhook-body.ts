import type { StoredTask, TaskArtifact, TaskError } from "../tasks/stored-task.ts";

/** What a webhook says of a task's end, in the form of Standard Webhooks. The same text is sent at each try.
 *  It names the artifacts without their URLs, which expire; whoever hears it fetches the task. */
export function webhookBody(end: {
  readonly taskId: string;
  readonly state: StoredTask["state"];
  readonly atMs: number;
  readonly metadata: string | null;
  readonly artifacts: readonly TaskArtifact[];
  readonly error: TaskError | null;
}): string {
  return JSON.stringify({
    type: `task.${end.state}`,
    timestamp: new Date(end.atMs).toISOString(),
    data: {
      taskId: end.taskId,
      state: end.state,
      metadata: end.metadata === null ? null : JSON.parse(end.metadata),
      artifacts: end.artifacts.map(({ index, sha256, bytes, mime }) => ({ index, sha256, bytes, mime })),
      error: end.error,
    },
  });
}
