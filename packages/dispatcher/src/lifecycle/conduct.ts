import type { Core } from "../core.ts";
import type { ProviderRecord } from "../state/provider-record.ts";

/** For how long the conduct of a provider that is gone is remembered, in milliseconds: nobody gets out of a rest by a new connection, and
 *  rented machines, which never come again under the same id, do not pile up. */
const CONDUCT_MS = 3_600_000;

/** A provider that is gone and has nothing to come back for is forgotten: at once, or in a while where its conduct has to be remembered. */
export function forgetProviderWhereGone(core: Core, provider: ProviderRecord): void {
  if (provider.online || provider.attempts.length > 0) return;
  if (provider.breaker === "closed" && provider.faultsInRow === 0) {
    forget(core, provider);
    return;
  }
  if (provider.goneNumber > 0) return;
  provider.goneNumber = ++core.sequence;
  core.goneProviders.add(provider);
  core.timers.set(provider.conductTimer, core.nowMs + CONDUCT_MS);
}

/** It has been gone for long. One that rests still, by faults that came out since, is forgotten when it has rested. */
export function ageConduct(core: Core, provider: ProviderRecord): void {
  if (provider.breaker === "resting") core.timers.set(provider.conductTimer, provider.restTimer.atMs);
  else forget(core, provider);
}

/** It is back, or has attempts again. */
export function rememberProvider(core: Core, provider: ProviderRecord): void {
  if (provider.goneNumber === 0) return;
  core.goneProviders.delete(provider);
  provider.goneNumber = 0;
  core.timers.clear(provider.conductTimer);
}

/** Room for one more provider: where there are as many as there may be, the one that has been gone for longest is forgotten, whatever
 *  its conduct was. False where none is gone. */
export function makeRoomForProvider(core: Core): boolean {
  if (core.providers.size < core.options.providersMax) return true;
  const gone = core.goneProviders.first();
  if (gone === undefined) return false;
  forget(core, gone);
  return true;
}

function forget(core: Core, provider: ProviderRecord): void {
  rememberProvider(core, provider);
  core.timers.clear(provider.restTimer);
  core.timers.clear(provider.slownessTimer);
  core.providers.delete(provider.providerId);
}
