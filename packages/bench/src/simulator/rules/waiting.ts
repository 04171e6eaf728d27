import type { Dispatcher } from "@genai/dispatcher";
import type { Eligibility } from "../eligibility.ts";
import type { Ledger, LedgerProvider, LedgerTask } from "../ledger.ts";
import { ratioOf } from "./ratio.ts";

/** Sums of durations are compared to this share of themselves. */
const ROUNDING = 1e-9;
/** An instant far from the clock's start has no finer digits. */
const TOLERANCE_MS = 1e-3;

/** Why a waiting task should not be waiting, or null: for every free slot that it may have there must be a hold for a busy provider with
 *  a better score now, and it may not have been held for longer than what that is worth. */
export function wrongWait(
  ledger: Ledger,
  dispatcher: Dispatcher,
  eligibility: Eligibility,
  entry: LedgerTask,
  free: readonly LedgerProvider[],
): string | null {
  const { task } = entry;
  const open = free.filter((provider) => eligibility.objection(entry, provider) === null);
  if (open.length === 0 || dispatcher.task(task.taskId)?.state !== "waiting") return null;
  const { runningMax } = ledger.userOf(task.userId).limits;
  if (runningMax !== null && ledger.runningOf(task.userId) >= runningMax) return null;
  if (task.timeToMoneyRatio === 0) {
    const least = eligibility.leastCost(entry);
    const idle = open.find((provider) => provider.offer.cost <= least);
    return idle === undefined
      ? null
      : `task ${task.taskId} at ratio 0 waits though ${idle.providerId} is free for ${least}`;
  }
  const explanation = dispatcher.explain(task.taskId);
  const partsOf = (providerId: string | undefined) =>
    explanation?.providers.find((provider) => provider.providerId === providerId)?.parts ?? null;
  const hold = explanation?.hold ?? null;
  const held = partsOf(hold?.providerId);
  if (hold === null || held === null)
    return `task ${task.taskId} waits without a hold though ${open[0]?.providerId} is free`;
  if (hold.forMsMost === 0) return `task ${task.taskId} is held for ${hold.providerId} though its time is over`;
  let boundMs = Infinity;
  let least = Infinity;
  for (const { providerId } of open) {
    const parts = partsOf(providerId);
    if (parts === null) return `task ${task.taskId} may have a slot of ${providerId}, and explain denies it`;
    if (!(held.score < parts.score)) {
      return `task ${task.taskId} is held for ${hold.providerId} (${held.score}) over ${providerId} (${parts.score})`;
    }
    // It is held over the best of them: that is the one that it would choose.
    const worth = (parts.cost - held.cost) / ratioOf(task) + parts.loadSeconds;
    const worthMs = worth * 1_000 * (1 + ROUNDING) + TOLERANCE_MS;
    if (parts.score === least) boundMs = Math.max(boundMs, worthMs);
    else if (parts.score < least) [least, boundMs] = [parts.score, worthMs];
  }
  if ((hold.heldMs ?? 0) > boundMs) {
    return `task ${task.taskId} has been held for ${hold.heldMs} ms for ${hold.providerId}, which is worth ${boundMs}`;
  }
  return null;
}
