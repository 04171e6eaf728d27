import type { UserLimits } from "../input.ts";
import type { Lane } from "./task-class.ts";

/** What a user may do unless told otherwise. */
export const USER_LIMITS_DEFAULT: UserLimits = { weight: 1, userClass: 0, queuedMax: 10_000, runningMax: null };

/** A user as the core keeps it: while tasks of it are unsettled, or its tag or limits have to be remembered. */
export class UserRecord {
  readonly userId: string;
  readonly sequence: number;
  limits: UserLimits = USER_LIMITS_DEFAULT;
  /** Service tag: GPU milliseconds charged so far, divided by the weight. */
  tag = 0;
  /** Unsettled tasks. */
  tasks = 0;
  /** Tasks with a live attempt. */
  running = 0;
  /** Tasks that wait in a queue or for their backoff. */
  queued = 0;
  /** Since when it waits without being served; breaks ties of tags. */
  waitingSinceMs = 0;
  /** Mean time between two of its sends, for the computed retry-after; null before the second. */
  sendIntervalMs: number | null = null;
  lastSendAtMs: number | null = null;
  /** Numbers the idle ones in the order of becoming so; 0 while it is not among them. Changed by {@link IdleUsers} alone. */
  idleNumber = 0;

  /** Its waiting tasks by class. */
  readonly lanes = new Set<Lane>();

  constructor(userId: string, sequence: number) {
    this.userId = userId;
    this.sequence = sequence;
  }

  get hasDefaultLimits(): boolean {
    return areDefault(this.limits);
  }

  /** It may have no more running at once. */
  get capped(): boolean {
    const { runningMax } = this.limits;
    return runningMax !== null && this.running >= runningMax;
  }
}

/** Whether limits say no more than what everybody has. */
export function areDefault(limits: UserLimits): boolean {
  const standard = USER_LIMITS_DEFAULT;
  if (limits === standard) return true;
  const { weight, userClass, queuedMax, runningMax } = limits;
  return (
    weight === standard.weight &&
    userClass === standard.userClass &&
    queuedMax === standard.queuedMax &&
    runningMax === standard.runningMax
  );
}
