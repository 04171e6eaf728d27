import type { Core } from "../core.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import { standardWork } from "../work.ts";
import type { ProviderSnapshot } from "./snapshots.ts";

/** What {@link ProviderSnapshot.pictureMs} is told of. */
const PICTURE_UNITS = standardWork({ width: 512, height: 512, steps: 20 }).units;

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
    running: provider.attempts.length,
    freeSlots: core.placement.fleet.freeSlotsOf(provider),
    warmModel,
    pictureMs: pictureMs(core, provider),
  };
}

function pictureMs(core: Core, { kind, warmModel }: ProviderRecord): number | null {
  if (kind === null || !(kind.engine === null || kind.pipelines.has("standard"))) return null;
  return PICTURE_UNITS * core.estimates.standardUnitMs(warmModel ?? "", kind.speed) * kind.slowness;
}
