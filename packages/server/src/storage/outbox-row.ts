import type { OutboxEntry } from "../webhooks/delivery-store.ts";
import { decodeTask, type TaskRow } from "./task-row.ts";
import { webhookBody } from "./webhook-body.ts";

/** A webhook that is due, with its task. */
export interface OutboxRow extends TaskRow {
  readonly enteredAtMs: number;
  readonly tries: number;
}

/** The body is made of the task, which never changes once it has ended: it is the same text at each try. */
export function outboxEntry(row: OutboxRow): OutboxEntry {
  const task = decodeTask(row);
  return {
    outboxId: task.taskId,
    taskId: task.taskId,
    userId: task.userId,
    url: task.webhook ?? "",
    body: webhookBody(task),
    createdAtMs: row.enteredAtMs,
    tries: row.tries,
  };
}
