import type { Core } from "../core.ts";
import type { ProviderRecord } from "../state/provider-record.ts";

/** A fault of this provider's. Several in a row, or one in its trial, put it to rest, each rest twice as long as the last. */
export function countFault(core: Core, provider: ProviderRecord): void {
  provider.faultsInRow += 1;
  const tripped = provider.breaker === "trial" || provider.faultsInRow >= core.options.restAfterFaults;
  if (!tripped || provider.breaker === "resting") return;
  const restMs = Math.min(core.options.restMaxMs, core.options.restMs * 2 ** provider.rests);
  provider.breaker = "resting";
  provider.rests += 1;
  core.timers.set(provider.restTimer, core.nowMs + restMs);
  core.placement.providerChanged(provider);
}

/** Its rest is over: one trial. */
export function endRest(core: Core, provider: ProviderRecord): void {
  provider.breaker = "trial";
  core.placement.providerChanged(provider);
}

/** A good result: the provider is trusted again. A result from before its rest does not end the rest. */
export function countSuccess(core: Core, provider: ProviderRecord): void {
  provider.faultsInRow = 0;
  if (provider.breaker !== "trial") return;
  provider.breaker = "closed";
  provider.rests = 0;
  core.placement.providerChanged(provider);
}
