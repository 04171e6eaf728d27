import type { TaskEvent, TaskState } from "../tasks/stored-task.ts";
import type { StoreChange } from "../tasks/task-store.ts";

/** What a change writes into its task's log; null for the changes that write nothing. */
export function changeEvent(
  change: StoreChange,
): { readonly state: TaskState; readonly atMs: number; readonly detail: TaskEvent["detail"] } | null {
  switch (change.type) {
    case "taskInserted":
      return { state: "queued", atMs: change.task.createdAtMs, detail: {} };
    case "attemptOpened":
      return { state: "running", atMs: change.atMs, detail: { attempt: change.attempt, nodeId: change.nodeId } };
    case "taskRequeued":
      return {
        state: "queued",
        atMs: change.atMs,
        detail: { ...(change.attempt !== null && { attempt: change.attempt }), reason: change.reason },
      };
    case "taskResumed":
      return { state: "running", atMs: change.atMs, detail: { attempt: change.attempt } };
    case "taskSettled":
      return {
        state: change.state,
        atMs: change.atMs,
        detail: {
          ...(change.attempt !== null && { attempt: change.attempt }),
          ...(change.error !== null && { error: change.error }),
          ...(change.artifacts.length > 0 && { artifacts: change.artifacts.length }),
        },
      };
    case "attemptChanged":
    case "claimReleased":
    case "taskDeleted":
    case "submissionTakenBack":
      return null;
  }
}
