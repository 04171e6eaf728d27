import type { TaskEvent } from "../tasks/stored-task.ts";
import { TASK_STATES } from "./task-row.ts";

/** An event's columns as every adapter selects them. */
export interface EventRow {
  readonly position: number;
  readonly taskId: string;
  readonly userId: string;
  readonly number: number;
  readonly atMs: number;
  readonly state: number;
  readonly detail: string;
}

export function decodeEvent(row: EventRow): TaskEvent {
  const state = TASK_STATES[row.state];
  if (state === undefined) {
    throw new Error(`Event ${row.number} of task ${row.taskId} was written by a newer version of the server.`);
  }
  return {
    position: row.position,
    taskId: row.taskId,
    userId: row.userId,
    number: row.number,
    atMs: row.atMs,
    state,
    detail: JSON.parse(row.detail),
  };
}
