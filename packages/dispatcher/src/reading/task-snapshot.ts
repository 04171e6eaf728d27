import type { Core } from "../core.ts";
import { runMsOn } from "../placement/choose.ts";
import type { TaskRecord } from "../state/task-record.ts";
import type { TaskSnapshot } from "./snapshots.ts";

export function snapshotTask(core: Core, task: TaskRecord): TaskSnapshot {
  const open = task.open.map(({ attempt, provider, state, progress }) => {
    return { attempt, providerId: provider.providerId, state, progress };
  });
  const { taskId, state } = task;
  const position = state === "waiting" ? positionOf(task) : null;
  return { taskId, userId: task.user.userId, state, position, expectedSeconds: expectedSeconds(core, task), open };
}

/** How many of its user's waiting tasks stand before it, over all its classes. */
function positionOf(task: TaskRecord): number {
  let position = 0;
  for (const lane of task.user.lanes) position += lane.tasks.rank(task);
  return position;
}

function expectedSeconds(core: Core, task: TaskRecord): number | null {
  const live = task.open.find((attempt) => attempt.live) ?? task.open[0];
  if (live !== undefined) return live.expectedMs / 1_000;
  let leastMs = Infinity;
  for (const kind of task.class.kinds) leastMs = Math.min(leastMs, runMsOn(task, kind, core.estimates));
  return leastMs === Infinity ? null : leastMs / 1_000;
}
