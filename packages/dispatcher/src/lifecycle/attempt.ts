import type { Core } from "../core.ts";
import type { AbortReason, AttemptState } from "../effect.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import { forgetProviderWhereGone } from "./conduct.ts";
import { chargeAtSend, correctCharge } from "./user.ts";

/** Enters an attempt that was just made or restored: it takes its slot, its charge and its timers. */
export function enterAttempt(core: Core, attempt: AttemptRecord, limitInMs: number): void {
  const { task, provider } = attempt;
  task.open = [...task.open, attempt];
  task.lastAttempt = Math.max(task.lastAttempt, attempt.attempt);
  provider.attempts.push(attempt);
  attempt.chargedMs = attempt.expectedMs;
  chargeAtSend(core, task.user, attempt.chargedMs);
  core.timers.set(attempt.limitTimer, core.nowMs + Math.max(0, limitInMs));
  armLease(core, attempt);
  core.placement.providerChanged(provider);
}

/** The lease runs from the last sign of life, at the earliest from the sending. A connected legacy provider has none: its connection
 *  is its lease, because it never says anything while it works. */
export function armLease(core: Core, attempt: AttemptRecord): void {
  if (attempt.provider.legacy && attempt.provider.online) {
    core.timers.clear(attempt.leaseTimer);
    return;
  }
  const fromMs = Math.max(attempt.startedAtMs, attempt.provider.lastHeardAtMs);
  core.timers.set(attempt.leaseTimer, Math.max(fromMs + core.options.leaseMs, core.amnestyUntilMs));
}

/** An open attempt moves on to another open state; the same state again says nothing. */
export function changeOpenState(
  core: Core,
  attempt: AttemptRecord,
  state: "sent" | "accepted" | "running" | "lost",
): void {
  if (attempt.state === state) return;
  attempt.state = state;
  if (state !== "lost") {
    attempt.graceOver = false;
    core.timers.clear(attempt.graceTimer);
  }
  core.effects.push({ type: "attemptChanged", ...refOf(attempt), state, open: true, gpuMs: 0 });
}

/** Closes an attempt and corrects its user's charge to `gpuMs`. Its slot is freed unless it is still sat upon. */
export function closeAttempt(
  core: Core,
  attempt: AttemptRecord,
  state: Extract<AttemptState, "succeeded" | "failed" | "rejected" | "aborted" | "expired">,
  gpuMs: number,
): void {
  const { task } = attempt;
  attempt.state = state;
  attempt.open = false;
  task.open = task.open.filter((other) => other !== attempt);
  core.timers.clear(attempt.leaseTimer);
  core.timers.clear(attempt.graceTimer);
  // Whole milliseconds, so that what the caller stores is what its user is charged with.
  const measuredMs = Math.round(gpuMs);
  core.effects.push({ type: "attemptChanged", ...refOf(attempt), state, open: false, gpuMs: measuredMs });
  const refunded = state === "expired" && core.planted.has("refundForgotten") ? attempt.chargedMs : measuredMs;
  correctCharge(core, task.user, refunded - attempt.chargedMs);
  attempt.chargedMs = refunded;
  if (state !== "aborted") freeSlot(core, attempt);
}

/** Stops an attempt for good. A connected provider is told. Its slot stays taken until it says that it stopped: a legacy provider
 *  hears no abort and sits on it until its limit; others are given a moment. */
export function abortAttempt(core: Core, attempt: AttemptRecord, reason: AbortReason): void {
  const { provider } = attempt;
  if (provider.online) {
    core.effects.push({ type: "abort", ...refOf(attempt), reason });
  }
  closeAttempt(core, attempt, "aborted", attempt.state === "lost" ? 0 : elapsedMs(core, attempt));
  core.placement.providerChanged(provider);
  if (!provider.online) {
    freeSlot(core, attempt);
  } else if (!provider.legacy) {
    core.timers.clear(attempt.limitTimer);
    core.timers.set(attempt.releaseTimer, core.nowMs + core.options.abortSettleMs);
  }
}

/** The provider does no more with this attempt. */
export function freeSlot(core: Core, attempt: AttemptRecord): void {
  core.timers.clear(attempt.limitTimer);
  core.timers.clear(attempt.releaseTimer);
  const { provider } = attempt;
  const place = provider.attempts.indexOf(attempt);
  if (place < 0) return;
  provider.attempts.splice(place, 1);
  if (provider.attempts.length === 0) provider.idleSinceMs = core.nowMs;
  core.placement.providerChanged(provider);
  forgetProviderWhereGone(core, provider);
}

/** GPU time since it began to count. */
export function elapsedMs(core: Core, attempt: AttemptRecord): number {
  return Math.max(0, core.nowMs - attempt.startedAtMs);
}

/** How effects name an attempt. */
export function refOf(attempt: AttemptRecord): { taskId: string; attempt: number; providerId: string } {
  return { taskId: attempt.task.taskId, attempt: attempt.attempt, providerId: attempt.provider.providerId };
}
