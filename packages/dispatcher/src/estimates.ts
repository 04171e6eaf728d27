import { Running } from "./running.ts";
import type { WorkProfile } from "./state/work-profile.ts";

/** What runs at one speed as far as is known beforehand: a GPU type with an engine. Interned. */
export interface SpeedClass {
  /** Lower case; null when unknown. */
  readonly gpuType: string | null;
  readonly engine: string | null;
}

/** Estimates as plain JSON, to be kept over a restart. */
export interface EstimatesSnapshot {
  readonly version: 1;
  /** Running time for each unit of work, in milliseconds. */
  readonly runs: readonly ({ readonly model: string; readonly signature: string } & SpeedSnapshot)[];
  /** Loading a model, in milliseconds. */
  readonly loads: readonly ({ readonly model: string } & SpeedSnapshot)[];
}

interface SpeedSnapshot {
  readonly gpuType: string | null;
  readonly engine: string | null;
  readonly count: number;
  readonly mean: number;
  readonly spread: number;
}

/** Most profiles that are remembered; those not used for longest are forgotten first. */
const PROFILES_MAX = 10_000;
/** Until anything was measured: a step of 512 × 512 pixels takes a quarter of a second, a graph half a minute. */
const STANDARD_UNIT_MS = 1 / 1_000;
const GRAPH_UNIT_MS = 30_000;
/** How much the newest measurement counts for what all have in common: as much as for a provider's own slowness. */
const DRIFT_SHARE = 0.2;
/** Spread of what was never measured, as a share of it. */
const SPREAD_UNKNOWN = 0.25;

/** What is known of how long work takes: a mean and a spread by GPU type, engine, model and work signature. Where there is no data,
 *  what other GPU types took for the same work counts, and where nobody did it a default. */
export class Estimates {
  readonly #loadMsDefault: number;
  readonly #profiles = new Map<string, Profile>();
  /** The last of them. Each few moves to the end cost the map a new table, so what stands there already is left there. */
  #newestProfile: Profile | null = null;
  readonly #speeds = new Map<string, SpeedClass>();
  readonly #loads = new Map<string, Map<SpeedClass, Running>>();
  readonly #drifts = new Map<SpeedClass, number>();

  constructor(loadMsDefault: number) {
    this.#loadMsDefault = loadMsDefault;
  }

  /** The profile of work with this (normalized) model and signature, interned. */
  profileOf(model: string, signature: string): WorkProfile {
    return this.#profile(model, signature);
  }

  /** The speed class of a GPU type and an engine, both in lower case, interned. */
  speedOf(gpuType: string | null, engine: string | null): SpeedClass {
    const key = JSON.stringify([gpuType, engine]);
    let speed = this.#speeds.get(key);
    if (speed === undefined) {
      speed = { gpuType, engine };
      this.#speeds.set(key, speed);
    }
    return speed;
  }

  /** Milliseconds that a unit of this work takes at this speed, the model being loaded. */
  unitMs(profile: WorkProfile, speed: SpeedClass | null): number {
    const known = profile as Profile;
    const measured = speed === null ? undefined : known.bySpeed.get(speed);
    if (measured !== undefined) return measured.published;
    if (known.overall.count > 0) return known.overall.published;
    return profile.signature === "standard" ? STANDARD_UNIT_MS : GRAPH_UNIT_MS;
  }

  /** The same for standard tasks of a (normalized) model, asked in passing: nothing is remembered of the question. */
  standardUnitMs(model: string, speed: SpeedClass): number {
    const profile = this.#profiles.get(profileKey(model, "standard"));
    return profile === undefined ? STANDARD_UNIT_MS : this.unitMs(profile, speed);
  }

  /** Standard deviation of that. */
  unitSpreadMs(profile: WorkProfile, speed: SpeedClass): number {
    const measured = (profile as Profile).bySpeed.get(speed);
    return measured !== undefined && measured.count > 1
      ? measured.spread
      : this.unitMs(profile, speed) * SPREAD_UNKNOWN;
  }

  /** Whether this very work was measured at this speed. */
  knows(profile: WorkProfile, speed: SpeedClass): boolean {
    return (profile as Profile).bySpeed.has(speed);
  }

  /** Milliseconds that loading a model takes; 0 for none. */
  loadMs(model: string, speed: SpeedClass): number {
    if (model === "") return 0;
    return this.#loads.get(model)?.get(speed)?.published ?? this.#loadMsDefault;
  }

  /** True where the estimate moved. */
  learnRun(profile: WorkProfile, speed: SpeedClass, unitMs: number): boolean {
    const known = profile as Profile;
    let measured = known.bySpeed.get(speed);
    if (measured === undefined) {
      measured = new Running();
      known.bySpeed.set(speed, measured);
    }
    const overallMoved = known.overall.add(unitMs);
    return measured.add(unitMs) || overallMoved;
  }

  /** True where the estimate moved. */
  learnLoad(model: string, speed: SpeedClass, loadMs: number): boolean {
    let bySpeed = this.#loads.get(model);
    if (bySpeed === undefined) {
      bySpeed = new Map();
      this.#loads.set(model, bySpeed);
      forgetOldest(this.#loads);
    }
    let measured = bySpeed.get(speed);
    if (measured === undefined) {
      measured = new Running();
      bySpeed.set(speed, measured);
    }
    return measured.add(loadMs);
  }

  /** What all newest measurements at a speed have in common, as the logarithm of measured by expected, this one included: the mean is
   *  slow to follow a fleet that has warmed up, and that is nobody's own doing. Without it whoever first looks quicker than the old mean
   *  would get every task from then on, and its equals would never be measured again. */
  driftOf(speed: SpeedClass, error: number): number {
    const before = this.#drifts.get(speed) ?? 0;
    const drift = before + (error - before) * DRIFT_SHARE;
    this.#drifts.set(speed, drift);
    return drift;
  }

  export(): EstimatesSnapshot {
    const runs = [...this.#profiles.values()].flatMap(({ model, signature, bySpeed }) =>
      [...bySpeed].map(([speed, measured]) => ({ model, signature, ...speed, ...measured.snapshot() })),
    );
    const loads = [...this.#loads].flatMap(([model, bySpeed]) =>
      [...bySpeed].map(([speed, measured]) => ({ model, ...speed, ...measured.snapshot() })),
    );
    return { version: 1, runs, loads };
  }

  /** Takes over what an earlier process knew. Entries that make no sense are left out. */
  import(snapshot: EstimatesSnapshot): void {
    for (const run of snapshot.runs) {
      const measured = Running.from(run);
      if (measured === null) continue;
      const profile = this.#profile(run.model, run.signature);
      profile.bySpeed.set(this.speedOf(run.gpuType, run.engine), measured);
      profile.overall.add(measured.mean);
    }
    for (const load of snapshot.loads) {
      const measured = Running.from(load);
      if (measured === null) continue;
      const bySpeed = this.#loads.get(load.model) ?? new Map<SpeedClass, Running>();
      bySpeed.set(this.speedOf(load.gpuType, load.engine), measured);
      this.#loads.set(load.model, bySpeed);
    }
    forgetOldest(this.#loads);
  }

  #profile(model: string, signature: string): Profile {
    const key = profileKey(model, signature);
    let profile = this.#profiles.get(key);
    if (profile !== undefined && profile === this.#newestProfile) return profile;
    if (profile === undefined) profile = { model, signature, bySpeed: new Map(), overall: new Running() };
    else this.#profiles.delete(key);
    this.#newestProfile = profile;
    // Set anew, so that the map's order is that of the last use.
    this.#profiles.set(key, profile);
    forgetOldest(this.#profiles);
    return profile;
  }
}

interface Profile extends WorkProfile {
  readonly bySpeed: Map<SpeedClass, Running>;
  /** Over all speeds. */
  readonly overall: Running;
}

function profileKey(model: string, signature: string): string {
  return `${model}\n${signature}`;
}

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size <= PROFILES_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
