import type { ChangeOutcome, StoreChange } from "../tasks/task-store.ts";
import { changeEvent } from "./change-event.ts";

/** What became of a change, as short as it travels: nothing to say, its event's place, or the task in its way. */
export type AppliedChange =
  | null
  | readonly [position: number, number: number, userId: string]
  | { readonly conflict: string | null };

export function appliedChange(outcome: ChangeOutcome): AppliedChange {
  if (outcome.type === "conflict") return { conflict: outcome.taskId };
  return outcome.event && [outcome.event.position, outcome.event.number, outcome.event.userId];
}

/** The outcome of a change, whose event is made again from the change itself. */
export function changeOutcome(change: StoreChange, applied: AppliedChange): ChangeOutcome {
  if (applied === null) return { type: "applied", event: null };
  if ("conflict" in applied) return { type: "conflict", taskId: applied.conflict };
  const [position, number, userId] = applied;
  const event = changeEvent(change);
  const taskId = "task" in change ? change.task.taskId : "taskId" in change ? change.taskId : "";
  if (event === null) return { type: "applied", event };
  const { state, atMs, detail } = event;
  return { type: "applied", event: { position, taskId, userId, number, state, atMs, detail } };
}
