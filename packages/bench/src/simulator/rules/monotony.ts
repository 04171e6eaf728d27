import type { Dispatcher, Task } from "@genai/dispatcher";

/** Sums in another order may differ in the last digits. */
const ROUNDING = 1e-9;

/** On one state, a higher ratio never means a later or a cheaper place: what contradicts that, or null. */
export function wrongTrade(dispatcher: Dispatcher, task: Task, lower: number, higher: number): string | null {
  const { history: _, ...fresh } = task;
  const patient = dispatcher.whatIf({ ...fresh, expiresInMs: null, timeToMoneyRatio: lower });
  const hasty = dispatcher.whatIf({ ...fresh, expiresInMs: null, timeToMoneyRatio: higher });
  if (!patient.ok || !hasty.ok) return `whatIf refuses task ${task.taskId}, which was accepted`;
  const [before, after] = [patient.best?.parts, hasty.best?.parts];
  if (before == null || after == null) {
    return (before == null) === (after == null)
      ? null
      : `task ${task.taskId} has a place at one ratio and none at another`;
  }
  if (after.seconds > before.seconds * (1 + ROUNDING)) {
    return `task ${task.taskId} takes ${before.seconds} s at ratio ${lower} and ${after.seconds} s at ${higher}`;
  }
  if (after.cost < before.cost * (1 - ROUNDING)) {
    return `task ${task.taskId} costs ${before.cost} at ratio ${lower} and ${after.cost} at ${higher}`;
  }
  return null;
}
