import type { Core } from "../core.ts";
import type { AttemptRef } from "../input.ts";
import type { Provider } from "../provider.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import { ProviderRecord } from "../state/provider-record.ts";
import { armLease, changeOpenState, closeAttempt, freeSlot, refOf } from "./attempt.ts";
import { forgetProviderWhereGone, rememberProvider } from "./conduct.ts";
import { chargeLoss, reconsider } from "./task.ts";

/** The provider with this id, for a session or an attempt of it; made where it is new. */
export function providerOf(core: Core, providerId: string): ProviderRecord {
  let provider = core.providers.get(providerId);
  if (provider === undefined) {
    provider = new ProviderRecord(providerId, ++core.sequence);
    provider.idleSinceMs = core.nowMs;
    core.providers.set(providerId, provider);
  }
  rememberProvider(core, provider);
  return provider;
}

/** A session registered, for the first time or in place of an earlier one. What it holds runs on; what it does not is lost at once. */
export function joinProvider(core: Core, offer: Provider, held: readonly AttemptRef[], draining: boolean): void {
  const provider = providerOf(core, offer.providerId);
  provider.describe(offer);
  provider.online = true;
  provider.draining = draining;
  provider.silent = false;
  provider.lastHeardAtMs = core.nowMs;
  const names = new Set(held.map(nameOf));
  for (const attempt of [...provider.attempts]) {
    const isHeld = names.delete(nameOf({ taskId: attempt.task.taskId, attempt: attempt.attempt }));
    if (isHeld && attempt.open) resume(core, attempt);
    else if (isHeld) core.effects.push({ type: "abort", ...refOf(attempt), reason: "superseded" });
    else if (attempt.open) expire(core, attempt);
    else freeSlot(core, attempt);
  }
  // What only the provider remembers was settled or given up meanwhile: it may stop.
  for (const ref of held) {
    if (!names.has(nameOf(ref))) continue;
    const { taskId, attempt } = ref;
    core.effects.push({ type: "abort", taskId, attempt, providerId: provider.providerId, reason: "superseded" });
  }
  core.placement.providerChanged(provider);
}

/** A lost attempt turned out to be alive. */
export function resume(core: Core, attempt: AttemptRecord): void {
  changeOpenState(core, attempt, "running");
  armLease(core, attempt);
  reconsider(core, attempt.task, "lost");
}

/** The provider says something new of itself. */
export function changeProvider(core: Core, provider: ProviderRecord, offer: Provider): void {
  provider.describe(offer);
  core.placement.providerChanged(provider);
}

/** The connection is gone. A protocol-2 provider may come back for its attempts; of others and of those who left nothing is to be hoped. */
export function loseProvider(core: Core, provider: ProviderRecord, how: "broken" | "left"): void {
  provider.online = false;
  core.placement.providerChanged(provider);
  for (const attempt of [...provider.attempts]) {
    if (!attempt.open) freeSlot(core, attempt);
    else if (how === "left" || provider.legacy) expire(core, attempt);
    else breakOff(core, attempt);
  }
  forgetProviderWhereGone(core, provider);
}

/** Lost, but its lease runs on; after the grace its task may have a second attempt. */
function breakOff(core: Core, attempt: AttemptRecord): void {
  changeOpenState(core, attempt, "lost");
  armLease(core, attempt);
  if (!core.planted.has("graceForgotten")) core.timers.set(attempt.graceTimer, core.nowMs + core.options.graceMs);
  reconsider(core, attempt.task, "lost");
}

/** Lost for good: a loss is counted, and its task is reconsidered at once. */
export function expire(core: Core, attempt: AttemptRecord): void {
  chargeLoss(core, attempt.task);
  closeAttempt(core, attempt, "expired", 0);
  reconsider(core, attempt.task, "lost");
}

/** Any sign of life. Leases are armed anew only when they would end, so this costs nothing. */
export function hearProvider(core: Core, provider: ProviderRecord): void {
  provider.lastHeardAtMs = core.nowMs;
  if (!provider.silent) return;
  provider.silent = false;
  core.placement.providerChanged(provider);
}

/** A draining provider finishes what it has and is given no more. */
export function drainProvider(core: Core, provider: ProviderRecord, draining: boolean): void {
  provider.draining = draining;
  core.placement.providerChanged(provider);
}

function nameOf(ref: AttemptRef): string {
  return `${ref.attempt}#${ref.taskId}`;
}
