import type { AttemptRecord } from "../state/attempt-record.ts";
import type { ProviderRecord } from "../state/provider-record.ts";

/** How many attempts a provider may run at once now: its slots, or one while it is on trial. */
export function slotsOf(provider: ProviderRecord): number {
  const slots = provider.offer?.slots ?? 0;
  return provider.breaker === "trial" ? Math.min(1, slots) : slots;
}

/** How many attempts it may be sent: its slots and what it takes ahead. */
export function capacityOf(provider: ProviderRecord): number {
  return slotsOf(provider) + (provider.breaker === "trial" ? 0 : (provider.offer?.prefetch ?? 0));
}

/** What an attempt is expected to need still. Past its estimate it counts as having max(overrun, spread) left: the longer it has
 *  overrun, the less there is to hope for. */
function leftMs(attempt: AttemptRecord, nowMs: number): number {
  const endMs = attempt.startedAtMs + attempt.expectedMs;
  return nowMs < endMs ? endMs - nowMs : Math.max(nowMs - endMs, attempt.spreadMs);
}

/** How long it takes until this provider has a slot for one more task, after its attempts and the first `holders` of the tasks that
 *  are held for it, in milliseconds. */
export function aheadMs(provider: ProviderRecord, nowMs: number, holders: number): number {
  const slots = slotsOf(provider);
  const { attempts } = provider;
  if (attempts.length + holders < slots) return 0;
  if (slots === 1) {
    let aheadMs = 0;
    for (const attempt of attempts) aheadMs += leftMs(attempt, nowMs);
    for (let i = 0; i < holders; i++) aheadMs += provider.holders[i]?.hold?.expectedMs ?? 0;
    return aheadMs;
  }
  return scheduledMs(provider, nowMs, slots, holders);
}

/** List scheduling over several slots: each next piece of work goes to the slot that is free first. */
function scheduledMs(provider: ProviderRecord, nowMs: number, slots: number, holders: number): number {
  const freeInMs = new Array<number>(slots).fill(0);
  const place = (workMs: number) => {
    let soonest = 0;
    for (let i = 1; i < slots; i++) if ((freeInMs[i] as number) < (freeInMs[soonest] as number)) soonest = i;
    freeInMs[soonest] = (freeInMs[soonest] as number) + workMs;
  };
  for (const attempt of provider.attempts) place(leftMs(attempt, nowMs));
  for (let i = 0; i < holders; i++) place(provider.holders[i]?.hold?.expectedMs ?? 0);
  return Math.min(...freeInMs);
}

/** The next instant at which what is ahead stops falling steadily: an attempt passes its estimate, or overruns by more than its spread.
 *  `growsByMs` is by how much the estimate may grow once some have: it grows by a millisecond in each for every one that has, since those
 *  that were sent ahead stand behind one another. Infinity where nothing is ahead. */
export function nextBendAtMs(provider: ProviderRecord, nowMs: number, growsByMs: number): number {
  let bendAtMs = Infinity;
  let growing = 0;
  for (const attempt of provider.attempts) {
    const endMs = attempt.startedAtMs + attempt.expectedMs;
    if (nowMs < endMs) bendAtMs = Math.min(bendAtMs, endMs);
    else if (nowMs < endMs + attempt.spreadMs) bendAtMs = Math.min(bendAtMs, endMs + attempt.spreadMs);
    else growing += 1;
  }
  // Whole milliseconds, so that a tie is not missed by the last digit.
  return growing === 0 ? bendAtMs : Math.min(bendAtMs, Math.floor(nowMs + growsByMs / growing));
}

/** Whether an attempt of it is past its estimate. */
export function overruns(provider: ProviderRecord, nowMs: number): boolean {
  for (const attempt of provider.attempts) if (nowMs >= attempt.startedAtMs + attempt.expectedMs) return true;
  return false;
}
