import type { Dispatcher, DispatcherEffect, Explanation } from "@genai/dispatcher";
import type { Eligibility } from "../eligibility.ts";
import type { Ledger } from "../ledger.ts";
import { ratioOf } from "./ratio.ts";

/** Tags that differ by less are equal. */
const TOLERANCE_MS = 1e-3;
/** The model in memory changes with the send, so what its loading would have taken before is only known to be no more. */
const LOAD_SECONDS_MAX = 60;

/** What the greatest task of a user may take where it takes longest, in milliseconds: its run there, and the longest loading of all. */
function longestMs(ledger: Ledger, dispatcher: Dispatcher, userId: string): number {
  let runSeconds = 0;
  for (const { task } of ledger.tasks.values()) {
    if (task.userId !== userId) continue;
    const { history: _, ...fresh } = task;
    const answer = dispatcher.whatIf({ ...fresh, expiresInMs: null });
    for (const { parts } of answer.ok ? answer.providers : [])
      runSeconds = Math.max(runSeconds, parts?.runSeconds ?? 0);
  }
  return runSeconds * 1_000 + longestLoadMs(dispatcher);
}

/** A mean that falls counts as before until it is clearly lower. */
const PUBLISHED_AT_MOST = 1.1;

/** What a load takes is learned, also from one during which the clock jumped. */
function longestLoadMs(dispatcher: Dispatcher): number {
  const loads = dispatcher.exportEstimates().loads.map(({ mean }) => mean * PUBLISHED_AT_MOST);
  return Math.max(LOAD_SECONDS_MAX * 1_000, ...loads);
}

/** How a send stood between users when it was decided. */
export interface Turn {
  readonly providerId: string;
  readonly userId: string;
  readonly userClass: number;
  readonly tag: number;
  /** A slot was free, so it was not sent ahead of one. */
  readonly free: boolean;
}

export function turnOf(ledger: Ledger, effect: Extract<DispatcherEffect, { type: "send" }>): Turn | null {
  const userId = ledger.tasks.get(effect.taskId)?.task.userId;
  const provider = ledger.providers.get(effect.providerId);
  if (userId === undefined || provider === undefined) return null;
  const { limits, tag } = ledger.userOf(userId);
  const { open, sitting } = ledger.occupied(provider);
  const free = open + sitting < provider.offer.slots;
  return { providerId: effect.providerId, userId, userClass: limits.userClass, tag, free };
}

/** Whether something better than a free slot of this provider was in sight before the step and still is there, though others may stand
 *  before the task by now: its place goes with its hold once the slot is given away. */
function hadBetter(then: Explanation | null, now: Explanation, providerId: string, ratio: number): boolean {
  const slot = then?.providers.find((one) => one.providerId === providerId)?.parts ?? null;
  if (then === null || slot === null) return false;
  const scoreOnceFree = slot.score - ratio * slot.aheadSeconds;
  const isThere = (id: string) => now.providers.some((one) => one.providerId === id && one.parts !== null);
  return then.providers.some(
    (other) =>
      other.providerId !== providerId &&
      other.parts !== null &&
      other.parts.score < scoreOnceFree &&
      isThere(other.providerId),
  );
}

/** Who had a better right to the only slot that a step gave away, or null: a user of a higher class or with a smaller tag whose task may
 *  have it and waits for nothing else. Asked after the step; `before` is the dispatcher as it was, which is dear and seldom asked. */
export function wrongOrder(
  ledger: Ledger,
  dispatcher: Dispatcher,
  eligibility: Eligibility,
  turn: Turn,
  before: () => Dispatcher,
): string | null {
  const provider = ledger.providers.get(turn.providerId);
  if (provider === undefined || !turn.free) return null;
  for (const entry of ledger.tasks.values()) {
    const { task } = entry;
    if (task.userId === turn.userId || entry.open.some((attempt) => attempt.lostAtMs === null)) continue;
    const { limits, tag } = ledger.userOf(task.userId);
    const isFirst = limits.userClass - turn.userClass || turn.tag - TOLERANCE_MS - tag;
    if (isFirst <= 0 || eligibility.objection(entry, provider) !== null) continue;
    if (limits.runningMax !== null && ledger.runningOf(task.userId) >= limits.runningMax) continue;
    if (task.timeToMoneyRatio === 0 && provider.offer.cost > eligibility.leastCost(entry)) continue;
    const explanation = dispatcher.explain(task.taskId);
    if (explanation?.state !== "waiting" || explanation.hold !== null) continue;
    const parts = explanation.providers.find(({ providerId }) => providerId === turn.providerId)?.parts ?? null;
    const loadSeconds = longestLoadMs(dispatcher) / 1_000;
    const scoreThen = (parts?.score ?? Infinity) + ratioOf(task) * (loadSeconds - (parts?.aheadSeconds ?? 0));
    // It may have declined the slot for something better, and that may have passed since.
    const better = explanation.providers.some(
      (other) => other.providerId !== turn.providerId && other.parts !== null && other.parts.score < scoreThen,
    );
    if (better) continue;
    // Where warm models may go first its user may have been passed over, by less than the task that was first takes itself.
    const isPassedOver = ledger.options.warmTurnsMax > 0 && limits.userClass === turn.userClass;
    if (isPassedOver && turn.tag - tag < longestMs(ledger, dispatcher, task.userId) / limits.weight) continue;
    if (hadBetter(before().explain(task.taskId), explanation, turn.providerId, ratioOf(task))) continue;
    return `a slot of ${turn.providerId} went to ${turn.userId} (class ${turn.userClass}, tag ${turn.tag}), and task ${task.taskId} of ${task.userId} (class ${limits.userClass}, tag ${tag}) still waits for it`;
  }
  return null;
}
