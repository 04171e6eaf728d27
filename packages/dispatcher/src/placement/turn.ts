import type { ProviderRecord } from "../state/provider-record.ts";
import { compareLanes, type Lane } from "../state/task-class.ts";
import { compareTasks, type TaskRecord } from "../state/task-record.ts";
import type { UserRecord } from "../state/user-record.ts";
import { mayServe } from "./permission.ts";
import type { PlacementContext } from "./placement-context.ts";

/** How often a task may see a later one of its user go before it because that one's model is warm. */
const OVERTAKEN_MAX = 4;

/** The waiting task that has the first right to this provider's slot, or null: between users who has the least tag, then each user's own
 *  order. */
export function firstInTurn(provider: ProviderRecord, context: PlacementContext): TaskRecord | null {
  const lane = firstLane(provider, context);
  if (lane === null) return null;
  return firstOf(lane.user, provider, context);
}

/** Of the lanes with a task for this slot, the one whose user is next. */
function firstLane(provider: ProviderRecord, context: PlacementContext): Lane | null {
  const floor = floorOf(provider, context);
  const reversed = context.planted.has("fairnessReversed");
  let best: Lane | null = null;
  for (const taskClass of provider.kind?.classes ?? []) {
    if (!mayServe(provider, taskClass, context.planted)) continue;
    const lane = taskClass.order.firstReaching(floor);
    if (lane === undefined) continue;
    if (best === null || (reversed ? compareLanes(lane, best) > 0 : compareLanes(lane, best) < 0)) best = lane;
  }
  return best;
}

/** A user's first task for this slot, or a later one of equal priority whose model is warm there. */
function firstOf(user: UserRecord, provider: ProviderRecord, context: PlacementContext): TaskRecord | null {
  const floor = floorOf(provider, context);
  let task: TaskRecord | null = null;
  let warm: TaskRecord | null = null;
  for (const lane of user.lanes) {
    if (provider.kind?.classes.has(lane.class) !== true || !mayServe(provider, lane.class, context.planted)) continue;
    const first = lane.tasks.firstReaching(floor);
    if (first === undefined) continue;
    if (task === null || compareTasks(first, task) < 0) task = first;
    if (isWarm(first, provider) && (warm === null || compareTasks(first, warm) < 0)) warm = first;
  }
  if (task === null || warm === null || warm === task || task.profile.model === "") return task;
  const overtakes = warm.priority === task.priority && !task.handedBack && task.overtaken < OVERTAKEN_MAX;
  if (!overtakes) return task;
  task.overtaken += 1;
  return warm;
}

/** Lowest ceiling of a task that would take a slot of this provider. */
function floorOf(provider: ProviderRecord, { planted }: PlacementContext): number {
  return planted.has("maxCostIgnored") ? -Infinity : provider.indexedCost;
}

function isWarm({ profile }: TaskRecord, provider: ProviderRecord): boolean {
  return profile.model !== "" && profile.model === provider.warmModel;
}
