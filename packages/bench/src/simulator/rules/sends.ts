import type { DispatcherEffect } from "@genai/dispatcher";
import type { Eligibility } from "../eligibility.ts";
import type { Ledger } from "../ledger.ts";

/** What is wrong with a send that is about to be noted, or null. Slots, eligibility, caps, order of attempts, and the price at ratio 0. */
export function wrongSend(
  ledger: Ledger,
  eligibility: Eligibility,
  effect: Extract<DispatcherEffect, { type: "send" }>,
): string | null {
  const { taskId, attempt, providerId } = effect;
  const entry = ledger.tasks.get(taskId);
  const provider = ledger.providers.get(providerId);
  const name = `task ${taskId} was sent to ${providerId}`;
  if (entry === undefined || entry.over) return `${name} though it is not waiting here`;
  if (provider === undefined) return `${name}, whom nobody knows`;
  if (attempt !== entry.lastAttempt + 1) return `${name} as attempt ${attempt} after ${entry.lastAttempt}`;
  if (entry.open.some((other) => other.lostAtMs === null)) return `${name} though somebody works on it`;
  if (entry.open.length > 1) return `${name} though two attempts are open`;
  if (entry.retryAtMs > ledger.nowMs) return `${name} ${entry.retryAtMs - ledger.nowMs} ms before its backoff ends`;
  const objection = eligibility.objection(entry, provider);
  if (objection !== null) return `${name}, which ${objection}`;
  if (effect.cost !== provider.offer.cost) return `${name} for ${effect.cost}, which asks ${provider.offer.cost}`;
  const { open, sitting } = ledger.occupied(provider);
  const onTrial = eligibility.snapshot(providerId)?.breaker === "trial";
  const capacity = onTrial ? 1 : provider.offer.slots + provider.offer.prefetch;
  if (open + sitting >= capacity) return `${name}, where ${open} + ${sitting} attempts sit on ${capacity} slots`;
  const { runningMax } = ledger.userOf(entry.task.userId).limits;
  if (runningMax !== null && ledger.runningOf(entry.task.userId) >= runningMax) return `${name} beyond its user's cap`;
  if (entry.task.timeToMoneyRatio === 0) {
    const least = eligibility.leastCost(entry);
    if (provider.offer.cost > least) return `${name} for ${provider.offer.cost} at ratio 0, though one asks ${least}`;
  }
  return null;
}
