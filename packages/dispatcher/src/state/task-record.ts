import type { Task } from "../task.ts";
import type { AttemptRecord } from "./attempt-record.ts";
import type { ProviderRecord } from "./provider-record.ts";
import type { TaskClass } from "./task-class.ts";
import type { Timer } from "./timer.ts";
import type { UserRecord } from "./user-record.ts";
import type { WorkProfile } from "./work-profile.ts";

/** How much more a unit of priority weighs than a millisecond of age: it ages by 1 a minute. */
const PRIORITY_MS = 60_000;

/** What went wrong with a task so far. Most tasks have none. */
export interface Trouble {
  /** Attempts that ended by a provider's fault. */
  faults: number;
  /** Attempts that were lost with their provider. */
  losses: number;
  /** The last attempt that failed, for the settlement. */
  failedAttempt: number | null;
  readonly failed: Set<string>;
  /** Providers that rejected it, until when each is skipped. */
  readonly skipped: Map<string, number>;
  /** Providers whose errors had no reason: counted against them only if the task succeeds elsewhere. */
  readonly suspects: Set<string>;
  /** Not given out before. */
  readyAtMs: number;
  readonly readyTimer: Timer;
  readonly skipTimer: Timer;
}

/** A task waits for a busy provider although a slot is free, because it would be better served there. */
export interface Hold {
  /** The provider it waits for. */
  readonly provider: ProviderRecord;
  /** The free one that it declined. */
  readonly over: ProviderRecord;
  readonly sinceMs: number;
  /** When it is looked at again at the latest. */
  readonly untilMs: number;
  /** What it would take on the provider it waits for. */
  readonly expectedMs: number;
}

/** An unsettled task as the core keeps it. */
export class TaskRecord {
  readonly taskId: string;
  readonly user: UserRecord;
  /** Requirements together with everything else that decides who may run it; changes with its exclusions. */
  class: TaskClass;
  readonly profile: WorkProfile;
  readonly units: number;
  readonly priority: number;
  readonly maxCost: number;
  /** Credits a second. */
  readonly ratio: number;
  /** In whole milliseconds. */
  readonly limitMs: number;
  readonly maxAttempts: number;
  readonly submittedAtMs: number;
  readonly sequence: number;
  /** `waiting`: may be given out now. `backingOff`: after a fault, not yet. `running`: a live attempt. `adrift`: only lost attempts, in grace. */
  state: "waiting" | "backingOff" | "running" | "adrift" = "waiting";
  handedBack = false;
  lastAttempt = 0;
  trouble: Trouble | null = null;
  /** Open attempts, at most two. */
  open: readonly AttemptRecord[] = NO_ATTEMPTS;
  expiryTimer: Timer | null = null;
  hold: Hold | null = null;
  holdTimer: Timer | null = null;
  /** For how long it has been held in all, in milliseconds, the present hold apart. */
  heldMs = 0;
  /** Highest price at which it would take a slot that frees up: its most, or less while it is held. */
  ceiling: number;
  /** Estimate under which it is counted in the demand while it waits, in milliseconds. */
  demandMs = 0;
  /** Its place among the tasks to look at. */
  wokenPlace = -1;
  /** How many tasks of its user with a warm model went before it. */
  overtaken = 0;

  constructor(
    task: Task,
    user: UserRecord,
    taskClass: TaskClass,
    profile: WorkProfile,
    sequence: number,
    nowMs: number,
  ) {
    this.taskId = task.taskId;
    this.user = user;
    this.class = taskClass;
    this.profile = profile;
    this.units = task.work.units;
    this.priority = task.priority;
    this.maxCost = task.maxCost;
    this.ratio = Math.min(task.timeToMoneyRatio, RATIO_MAX);
    this.limitMs = Math.ceil(task.limitMs);
    this.maxAttempts = task.maxAttempts;
    this.submittedAtMs = nowMs - task.ageMs;
    this.sequence = sequence;
    this.ceiling = task.maxCost;
  }
}

/** Greatest ratio that counts: beyond it money means nothing, and sums stay exact enough. */
const RATIO_MAX = 1e9;

const NO_ATTEMPTS: readonly AttemptRecord[] = [];

/** Order of one user's own tasks: what was handed back first, then by priority, which ages, then first come, first served. */
export function compareTasks(a: TaskRecord, b: TaskRecord): number {
  return (
    Number(b.handedBack) - Number(a.handedBack) ||
    a.submittedAtMs - a.priority * PRIORITY_MS - (b.submittedAtMs - b.priority * PRIORITY_MS) ||
    a.sequence - b.sequence
  );
}
