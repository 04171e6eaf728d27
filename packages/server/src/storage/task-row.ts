import type { NewTask, StoredTask, TaskState } from "../tasks/stored-task.ts";

/** Task states as the adapters number them in their rows. The order is stored: append only. */
export const TASK_STATES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "canceled",
] as const satisfies readonly TaskState[];

/** Number of a state in {@link TASK_STATES}. */
export const STATE_NUMBER: Readonly<Record<TaskState, number>> = {
  queued: 0,
  running: 1,
  succeeded: 2,
  failed: 3,
  canceled: 4,
};

/** Version of a task's row. A row of a higher one was written by a newer program: it is left alone, never guessed at. */
export const ROW_FORMAT = 1;

/** What never changes in a task and is asked for by nobody's index: one JSON text in the row. */
type TaskSpec = Pick<
  StoredTask,
  | "api"
  | "pipelineType"
  | "priority"
  | "timeToMoneyRatio"
  | "requirements"
  | "work"
  | "limitMs"
  | "maxAttempts"
  | "metadata"
  | "pictureCount"
  | "traceparent"
>;

/** A task's columns as every adapter selects them. */
export interface TaskRow {
  readonly taskId: string;
  readonly userId: string;
  readonly classKey: string;
  readonly format: number;
  readonly state: number;
  readonly eventNumber: number;
  readonly createdAtMs: number;
  readonly fresh: number;
  readonly maxCost: number;
  readonly notBeforeMs: number;
  readonly deadlineAtMs: number | null;
  readonly lastAttempt: number;
  readonly faults: number;
  readonly losses: number;
  readonly failedNodeIds: string | null;
  readonly startedAtMs: number | null;
  readonly settledAtMs: number | null;
  readonly artifacts: string | null;
  readonly error: string | null;
  readonly webhook: string | null;
  readonly spec: string;
}

export function encodeSpec(task: NewTask | StoredTask): string {
  const spec: TaskSpec = {
    api: task.api,
    pipelineType: "pipeline" in task ? task.pipeline.type : task.pipelineType,
    priority: task.priority,
    timeToMoneyRatio: task.timeToMoneyRatio,
    requirements: task.requirements,
    work: task.work,
    limitMs: task.limitMs,
    maxAttempts: task.maxAttempts,
    metadata: task.metadata,
    pictureCount: task.pictureCount,
    traceparent: task.traceparent,
  };
  return JSON.stringify(spec);
}

/** A row as a task. Rows of a newer format must have been left out before. */
export function decodeTask(row: TaskRow): StoredTask {
  const state = TASK_STATES[row.state];
  if (row.format > ROW_FORMAT || state === undefined) {
    throw new Error(`Task ${row.taskId} was written by a newer version of the server (row format ${row.format}).`);
  }
  const spec = JSON.parse(row.spec) as TaskSpec;
  return {
    taskId: row.taskId,
    userId: row.userId,
    api: spec.api,
    createdAtMs: row.createdAtMs,
    pipelineType: spec.pipelineType,
    priority: spec.priority,
    maxCost: row.maxCost,
    timeToMoneyRatio: spec.timeToMoneyRatio,
    requirements: spec.requirements,
    work: spec.work,
    limitMs: spec.limitMs,
    deadlineAtMs: row.deadlineAtMs,
    maxAttempts: spec.maxAttempts,
    metadata: spec.metadata,
    webhook: row.webhook,
    pictureCount: spec.pictureCount,
    traceparent: spec.traceparent,
    state,
    eventNumber: row.eventNumber,
    lastAttempt: row.lastAttempt,
    faults: row.faults,
    losses: row.losses,
    failedNodeIds: row.failedNodeIds === null ? [] : JSON.parse(row.failedNodeIds),
    handedBack: row.fresh === 0,
    notBeforeMs: row.notBeforeMs,
    startedAtMs: row.startedAtMs,
    settledAtMs: row.settledAtMs,
    artifacts: row.artifacts === null ? [] : JSON.parse(row.artifacts),
    error: row.error === null ? null : JSON.parse(row.error),
  };
}

/** A list as a column: null for the empty one, which most tasks have. */
export function encodeList(list: readonly unknown[]): string | null {
  return list.length === 0 ? null : JSON.stringify(list);
}

/** Where a task stands among its user's own: older first, a step of priority is worth a minute. */
export function orderMs(task: Pick<NewTask, "createdAtMs" | "priority">): number {
  return task.createdAtMs - task.priority * 60_000;
}
