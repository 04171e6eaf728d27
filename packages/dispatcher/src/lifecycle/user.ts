import type { Core } from "../core.ts";
import type { Refusal } from "../effect.ts";
import type { UserLimits } from "../input.ts";
import type { TaskRecord } from "../state/task-record.ts";
import { areDefault, UserRecord } from "../state/user-record.ts";

/** Bounds of a computed retry-after: nobody is told to hammer, nobody to go home. */
const RETRY_AFTER_MS_MIN = 1_000;
const RETRY_AFTER_MS_MAX = 600_000;
/** How much the newest interval between two sends counts for their mean. */
const INTERVAL_SHARE = 0.2;
/** How many idle users a step forgets at most, of those that newcomers have caught up with: more than a step can add. */
const FORGOTTEN_A_STEP = 2;

/** The user with this id, made where it is new. */
export function userOf(core: Core, userId: string): UserRecord {
  let user = core.users.get(userId);
  if (user === undefined) {
    user = new UserRecord(userId, ++core.sequence);
    core.users.set(userId, user);
  }
  return user;
}

/** A task of this user entered the core. A user who had none is a newcomer: it starts at the greatest start tag sent. */
export function userGainsTask(core: Core, user: UserRecord): void {
  if (user.tasks === 0) {
    core.idleUsers.delete(user);
    core.placement.reorder(user, () => {
      user.tag = Math.max(user.tag, core.startTagMax);
      user.waitingSinceMs = core.nowMs;
    });
  }
  user.tasks += 1;
}

/** A task of this user left the core. Where it was the last of all, everybody is even: tags order those who wait, and nobody does.
 *  (Start-time fair queueing ends a busy period so: Goyal, Vin and Cheng 1996.) */
export function userLosesTask(core: Core, user: UserRecord): void {
  user.tasks -= 1;
  if (core.tasks.size === 0) core.startTagMax = Math.max(core.startTagMax, user.tag, core.idleUsers.highestTag);
  if (user.tasks === 0) rememberIdle(core, user);
  forgetCaughtUp(core);
}

/** Room for one more user: where there are as many as there may be, an idle one is forgotten. False where there is none. */
export function makeRoomForUser(core: Core): boolean {
  if (core.users.size < core.options.usersMax) return true;
  const idle = core.idleUsers.mostForgettable();
  if (idle === undefined) return false;
  forget(core, idle);
  return true;
}

/** A user without tasks is remembered where its tag or its limits say more than a newcomer's, among so many others. */
function rememberIdle(core: Core, user: UserRecord): void {
  if (user.hasDefaultLimits && user.tag <= core.startTagMax) {
    core.users.delete(user.userId);
    return;
  }
  core.idleUsers.add(user);
  const least = core.idleUsers.size > core.options.idleUsersMax ? core.idleUsers.mostForgettable() : undefined;
  if (least !== undefined) forget(core, least);
}

/** Forgets those whose tags say no more than a newcomer's by now. */
function forgetCaughtUp(core: Core): void {
  for (let i = 0; i < FORGOTTEN_A_STEP; i++) {
    const user = core.idleUsers.leastCharged();
    if (user === undefined || user.tag > core.startTagMax) return;
    forget(core, user);
  }
}

function forget(core: Core, user: UserRecord): void {
  core.idleUsers.delete(user);
  core.users.delete(user.userId);
}

/** Charges a user at send: the start tag is lifted so that nobody saves up more than the credit. */
export function chargeAtSend(core: Core, user: UserRecord, gpuMs: number): void {
  const start = Math.max(user.tag, core.startTagMax - core.options.creditMs / user.limits.weight);
  core.startTagMax = Math.max(core.startTagMax, start);
  core.placement.reorder(user, () => {
    user.tag = start + gpuMs / user.limits.weight;
    user.waitingSinceMs = core.nowMs;
  });
  if (user.lastSendAtMs !== null) {
    const interval = core.nowMs - user.lastSendAtMs;
    const mean = user.sendIntervalMs ?? interval;
    user.sendIntervalMs = mean + (interval - mean) * INTERVAL_SHARE;
  }
  user.lastSendAtMs = core.nowMs;
}

/** Corrects an earlier charge by what was measured. */
export function correctCharge(core: Core, user: UserRecord, byGpuMs: number): void {
  if (byGpuMs === 0) return;
  core.placement.reorder(user, () => {
    user.tag += byGpuMs / user.limits.weight;
  });
}

/** When a user whose queue is full had better come again: the time in which its queue has been losing one task. */
export function retryAfterMs(user: UserRecord): number {
  const interval = user.sendIntervalMs ?? RETRY_AFTER_MS_MIN * 5;
  return Math.round(Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS_MIN, interval)));
}

/** New limits of a user; what waits is looked at again. Refused where there is no room for one more user. */
export function changeLimits(core: Core, userId: string, limits: UserLimits): Refusal | null {
  if (!core.users.has(userId)) {
    if (areDefault(limits)) return null;
    if (!makeRoomForUser(core)) return tooManyUsers(core);
  }
  const user = userOf(core, userId);
  core.idleUsers.delete(user);
  core.placement.reorder(user, () => {
    user.limits = limits;
  });
  if (user.tasks === 0) rememberIdle(core, user);
  return null;
}

/** Says that every user there may be has tasks here. */
export function tooManyUsers(core: Core): Refusal {
  const message = `There are ${core.options.usersMax} users with tasks here, which is the most.`;
  return { code: "limit_reached", field: "userId", message };
}

/** Moves a task between the states that count for its user. */
export function changeTaskState(core: Core, task: TaskRecord, state: TaskRecord["state"]): void {
  const { user } = task;
  const before = task.state;
  if (before === state) return;
  if (before === "waiting") core.placement.taskLeaves(task);
  // A lost attempt may turn out to be alive while its task backs off: then nothing is to wake it.
  if (before === "backingOff") core.timers.clear(task.trouble?.readyTimer ?? null);
  task.state = state;
  user.queued += Number(isQueued(state)) - Number(isQueued(before));
  if (before === "running" || state === "running") {
    changeRunning(core, user, Number(state === "running") - Number(before === "running"));
  }
  if (state === "waiting") core.placement.taskWaits(task);
}

/** Changes how many of a user's tasks are running. */
export function changeRunning(core: Core, user: UserRecord, by: number): void {
  // Without a cap the number decides nothing, so nothing has to be put in order anew.
  if (user.limits.runningMax === null) {
    user.running += by;
    return;
  }
  core.placement.reorder(user, () => {
    user.running += by;
  });
}

export function isQueued(state: TaskRecord["state"]): boolean {
  return state === "waiting" || state === "backingOff";
}
