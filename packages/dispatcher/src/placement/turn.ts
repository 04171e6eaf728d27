import type { ProviderRecord } from "../state/provider-record.ts";
import { compareLanes, type Lane } from "../state/task-class.ts";
import { compareTasks, type TaskRecord } from "../state/task-record.ts";
import type { UserRecord } from "../state/user-record.ts";
import { runMsOn } from "./choose.ts";
import { mayServe } from "./permission.ts";
import type { PlacementContext } from "./placement-context.ts";

/** How often a task may be overtaken by a later one of the same user because that one's model is warm. */
const OVERTAKEN_MAX = 4;

/** Most tasks of other users that a warm one may overtake at once. */
const PASSED_OVER_MAX = 64;

/** The waiting task that has the first right to this provider's slot, or null. Users are ordered by their service tags, then each user's tasks by
 *  their own order. A task whose model is warm may go first within one user and, if the options allow it, between users less than a task apart. */
export function firstInTurn(provider: ProviderRecord, context: PlacementContext): TaskRecord | null {
  const lane = firstLane(provider, context);
  if (lane === null) return null;
  const task = firstOf(lane.user, provider, context);
  if (task === null || isWarm(task, provider)) return task;
  return warmTurn(task, provider, context) ?? task;
}

/** The lane with a task for this slot whose user is next. */
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

/** A task of another user that may overtake `first`, whose model would have to be loaded, because its own is warm. */
function warmTurn(first: TaskRecord, provider: ProviderRecord, context: PlacementContext): TaskRecord | null {
  const { kind, warmModel } = provider;
  if (first.profile.model === "" || context.options.warmTurnsMax === 0 || kind === null || warmModel === null)
    return null;
  const floor = floorOf(provider, context);
  let best: Lane | null = null;
  for (const taskClass of kind.classes) {
    if (taskClass.model !== warmModel || !mayServe(provider, taskClass, context.planted)) continue;
    const lane = taskClass.order.firstReaching(floor);
    if (lane === undefined || lane.user === first.user) continue;
    if (best === null || compareLanes(lane, best) < 0) best = lane;
  }
  const passedOver = best === null ? null : passedOverFor(best, provider, context);
  if (best === null || passedOver === null) return null;
  const warm = firstOf(best.user, provider, context);
  if (warm === null || !isWarm(warm, provider)) return null;
  for (const task of passedOver) task.overtaken += 1;
  return warm;
}

/** The first tasks of all users that are ahead of `next` for this slot, or null where one of them must not be overtaken. That is a task that was handed
 *  back, was overtaken often enough, or is of a higher class, or one whose user was charged less than the user of `next` by at least the longest that the
 *  task takes; with less than that, the two users are still within one task of each other afterwards. Also null where there are more such tasks than are
 *  looked at. */
function passedOverFor(next: Lane, provider: ProviderRecord, context: PlacementContext): Set<TaskRecord> | null {
  const { options, planted } = context;
  const floor = floorOf(provider, context);
  const passedOver = new Set<TaskRecord>();
  for (const taskClass of provider.kind?.classes ?? []) {
    if (!mayServe(provider, taskClass, planted)) continue;
    for (const lane of taskClass.order.values()) {
      if (compareLanes(lane, next) >= 0 || lane.user === next.user) break;
      const task = lane.tasks.firstReaching(floor);
      if (task === undefined) continue;
      passedOver.add(task);
      const { limits, tag } = lane.user;
      const mayPass =
        !task.handedBack && task.overtaken < options.warmTurnsMax && limits.userClass === next.user.limits.userClass;
      const isNear =
        planted.has("warmTurnsUnbounded") || next.user.tag < tag + longestMs(task, context) / limits.weight;
      if (!mayPass || !isNear || passedOver.size > PASSED_OVER_MAX) return null;
    }
  }
  return passedOver;
}

/** The longest that a task takes, including loading its model: on the slowest kind with an available provider that it can pay. */
function longestMs(task: TaskRecord, { estimates }: PlacementContext): number {
  let longestMs = 0;
  for (const kind of task.class.kinds) {
    const { free, busy } = kind.all;
    const leastCost = Math.min(free.first()?.indexedCost ?? Infinity, busy.first()?.indexedCost ?? Infinity);
    if (leastCost > task.maxCost) continue;
    longestMs = Math.max(longestMs, estimates.loadMs(task.profile.model, kind.speed) + runMsOn(task, kind, estimates));
  }
  return longestMs;
}

/** Lowest ceiling of a task that would take a slot of this provider. */
function floorOf(provider: ProviderRecord, { planted }: PlacementContext): number {
  return planted.has("maxCostIgnored") ? -Infinity : provider.indexedCost;
}

function isWarm({ profile }: TaskRecord, provider: ProviderRecord): boolean {
  return profile.model !== "" && profile.model === provider.warmModel;
}
