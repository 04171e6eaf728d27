import type { Core } from "../core.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { ProviderSnapshot } from "./snapshots.ts";

export function snapshotProvider(core: Core, provider: ProviderRecord): ProviderSnapshot {
  const { providerId, online, draining, silent, breaker, cost, warmModel } = provider;
  return {
    providerId,
    online,
    draining,
    silent,
    breaker,
    restsForMs: breaker === "resting" ? Math.max(0, provider.restTimer.atMs - core.nowMs) : null,
    cost,
    slots: provider.offer?.slots ?? 0,
    running: provider.attempts.size,
    freeSlots: core.placement.fleet.freeSlotsOf(provider),
    warmModel,
  };
}
