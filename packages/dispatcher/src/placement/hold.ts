import type { Hold, TaskRecord } from "../state/task-record.ts";
import { nextBendAtMs, overruns } from "./ahead.ts";
import { type Choosing, type Option, runMsOn } from "./choose.ts";

/** A shorter hold is not worth its timer, and far from the clock's start it would be lost in the last digit. */
const HOLD_MS_MIN = 1;

/** For how long a task may be held for `q` rather than go to the free `s`, in all its holds together, in milliseconds:
 *  (cost of s − cost of q) / ratio + the time that s would have to load the model. */
function holdMsMax(task: TaskRecord, q: Option, s: Option): number {
  return ((s.cost - q.cost) / task.ratio) * 1_000 + s.loadMs;
}

/** The hold of a task for `q` over the free `s`, or null where q is not better or the time for it is used up. It lasts until its bound,
 *  or until the estimate of q may have turned for the worse. `sinceMs`: where it is held for q already, since when. */
export function holdFor(task: TaskRecord, q: Option, s: Option, nowMs: number, sinceMs = nowMs): Hold | null {
  if (!(q.score < s.score)) return null;
  const leftMs = holdMsMax(task, q, s) - task.heldMs - (nowMs - sinceMs);
  const marginMs = ((s.score - q.score) / task.ratio) * 1_000;
  const untilMs = Math.min(nowMs + leftMs, nextBendAtMs(q.provider, nowMs, marginMs));
  if (!(untilMs - nowMs >= HOLD_MS_MIN)) return null;
  return { provider: q.provider, over: s.provider, sinceMs, untilMs, expectedMs: q.loadMs + q.runMs };
}

/** Highest price at which a held task looks at a slot that frees up. Above it not even the fastest kind would be better than `q`, and the
 *  hold will not outlast its bound over that slot. What q takes only falls while it is on time; once it overruns it may grow, but never
 *  beyond what ends the hold over `s`. */
export function heldCeiling(task: TaskRecord, hold: Hold, q: Option, s: Option, by: Choosing): number {
  let leastRunMs = Infinity;
  for (const kind of task.class.kinds) leastRunMs = Math.min(leastRunMs, runMsOn(task, kind, by.estimates));
  const score = overruns(q.provider, by.nowMs) ? s.score : q.score;
  const betterBelow = score - (task.ratio * leastRunMs) / 1_000;
  const outlastedBelow = q.cost + (task.ratio * (task.heldMs + hold.untilMs - hold.sinceMs)) / 1_000;
  return Math.min(task.maxCost, Math.max(betterBelow, outlastedBelow) * (1 + ROUNDING));
}

/** Keeps a tie from being lost in the last digit. */
const ROUNDING = 1e-12;
