import type { StoreChange } from "../../tasks/task-store.ts";
import { changeEvent } from "../change-event.ts";
import { encodeList, encodeSpec, orderMs, STATE_NUMBER } from "../task-row.ts";

/** A change as `genai.apply_batches` reads it: flat, and whatever is JSON already is text, which PostgreSQL never looks into. */
export function changeArgument(change: StoreChange): Record<string, unknown> {
  const event = changeEvent(change);
  const detail = event === null ? null : JSON.stringify(event.detail);
  switch (change.type) {
    case "taskInserted": {
      const { task, idempotency } = change;
      return {
        type: change.type,
        taskId: task.taskId,
        userId: plain(task.userId),
        classKey: plain(change.classKey),
        claimed: change.claimed,
        ...(idempotency && { key: plain(idempotency.key), bodyHash: idempotency.bodyHash }),
        atMs: task.createdAtMs,
        orderMs: orderMs(task),
        maxCost: task.maxCost,
        deadlineAtMs: task.deadlineAtMs,
        webhook: task.webhook === null ? null : plain(task.webhook),
        spec: encodeSpec(task),
        pipeline: JSON.stringify(task.pipeline),
        detail,
      };
    }
    case "attemptOpened":
      return { ...change, nodeId: plain(change.nodeId), detail };
    case "attemptChanged":
      return { ...change, error: change.error === null ? null : JSON.stringify(change.error) };
    case "taskRequeued":
      return { ...change, failedNodeIds: encodeList(change.failedNodeIds), detail };
    case "taskResumed":
      return { ...change, detail };
    case "taskSettled": {
      const keys = change.artifacts.flatMap(({ key }) => (key === null ? [] : [key]));
      return {
        type: change.type,
        taskId: change.taskId,
        state: STATE_NUMBER[change.state],
        atMs: change.atMs,
        ...(keys.length > 0 && { artifactKeys: keys }),
        artifacts: encodeList(change.artifacts),
        error: change.error === null ? null : JSON.stringify(change.error),
        detail,
      };
    }
    case "claimReleased":
    case "taskDeleted":
    case "submissionTakenBack":
      return { ...change };
  }
}

/** What {@link plain} may have to replace. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** PostgreSQL's text holds neither NUL nor half of a surrogate pair; nobody means them in a name. */
export function plain(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replaceAll("\0", "\u2400").replaceAll(/\p{Surrogate}/gu, "\ufffd");
}
