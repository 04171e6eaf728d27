import type { Estimates } from "../estimates.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { TaskClass } from "../state/task-class.ts";
import type { TaskRecord } from "../state/task-record.ts";
import { aheadMs } from "./ahead.ts";
import type { Kind, Pool } from "./kind.ts";
import type { PlacementContext } from "./placement-context.ts";

/** A provider that could run a task, and what that would mean. Durations in milliseconds. */
export interface Option {
  readonly provider: ProviderRecord;
  readonly cost: number;
  readonly aheadMs: number;
  readonly loadMs: number;
  readonly runMs: number;
  /** All of them together, in seconds. */
  readonly seconds: number;
  /** Cost + ratio × seconds. */
  readonly score: number;
}

/** What a choice is made by. */
export interface Choosing {
  readonly estimates: Estimates;
  readonly nowMs: number;
  /** Greatest price: the task's own most, unless a mistake is planted. */
  readonly costMax: number;
}

export function choosingFor({ maxCost }: TaskRecord, { estimates, nowMs, planted }: PlacementContext): Choosing {
  return { estimates, nowMs, costMax: planted.has("maxCostIgnored") ? Infinity : maxCost };
}

/** Milliseconds that a task takes on a kind, its model being loaded. */
export function runMsOn(task: TaskRecord, kind: Kind, estimates: Estimates): number {
  return task.units * estimates.unitMs(task.profile, kind.speed) * kind.slowness;
}

/** What it would mean for a task to go to this provider, behind the first `holders` of the tasks held for it. */
export function optionOf(
  task: TaskRecord,
  provider: ProviderRecord,
  kind: Kind,
  by: Choosing,
  holders: number,
): Option {
  const { model } = task.profile;
  const ahead = aheadMs(provider, by.nowMs, holders);
  const loadMs = provider.warmModel === model ? 0 : by.estimates.loadMs(model, kind.speed);
  const runMs = runMsOn(task, kind, by.estimates);
  const seconds = (ahead + loadMs + runMs) / 1_000;
  const { cost } = provider;
  return { provider, cost, aheadMs: ahead, loadMs, runMs, seconds, score: cost + task.ratio * seconds };
}

/** Whether `a` is to be preferred: by score, seconds, cost, and idle longest. */
export function isBetter(a: Option, b: Option | null): boolean {
  if (b === null) return true;
  const difference =
    a.score - b.score ||
    a.seconds - b.seconds ||
    a.cost - b.cost ||
    a.provider.idleSinceMs - b.provider.idleSinceMs ||
    a.provider.sequence - b.provider.sequence;
  return difference < 0;
}

/** The best free provider for a task, or null. A wish for image input is heard where price is not everything. */
export function bestFree(task: TaskRecord, by: Choosing, failedToo: boolean): Option | null {
  if (task.class.requirements.imageInput === "wish" && !task.class.frugal) {
    const wished = bestFreeOf(task, by, failedToo, (kind) => kind.imageInput);
    if (wished !== null) return wished;
  }
  return bestFreeOf(task, by, failedToo, () => true);
}

function bestFreeOf(task: TaskRecord, by: Choosing, failedToo: boolean, fits: (kind: Kind) => boolean): Option | null {
  let best: Option | null = null;
  const consider = (kind: Kind, pool: Pool | undefined) => {
    const provider = pool === undefined ? null : cheapestFree(task.class, pool, by.costMax, failedToo);
    if (provider === null || (best !== null && provider.cost > best.score)) return;
    const option = optionOf(task, provider, kind, by, 0);
    if (isBetter(option, best)) best = option;
  };
  const { model } = task.profile;
  for (const kind of task.class.kinds) {
    if (kind.freeSlots === 0 || !fits(kind)) continue;
    if (model !== "") consider(kind, kind.warm.get(model));
    consider(kind, kind.all);
  }
  return best;
}

/** The cheapest free provider in a pool, of up to `costMax`, that a class may have. */
export function cheapestFree(
  taskClass: TaskClass,
  pool: Pool,
  costMax: number,
  failedToo: boolean,
): ProviderRecord | null {
  const first = pool.free.first();
  if (first === undefined || first.indexedCost > costMax) return null;
  if (taskClass.exclusion === null) return first;
  let found: ProviderRecord | null = null;
  pool.free.explore(
    (cheapest) => cheapest.indexedCost <= costMax,
    (provider) => {
      if (provider.indexedCost > costMax || taskClass.excludes(provider, failedToo)) return false;
      found = provider;
      return true;
    },
  );
  return found;
}

/** The best busy provider whose option is better than `over` (strictly by score), or, without one, the best of all; null where there is
 *  none. Best first by price + ratio × the time until a slot is free. */
export function bestBusy(task: TaskRecord, by: Choosing, failedToo: boolean, over: Option | null): Option | null {
  let best: Option | null = null;
  const { model } = task.profile;
  for (const kind of task.class.kinds) {
    if (kind.all.busy.size === 0) continue;
    const runMs = runMsOn(task, kind, by.estimates);
    const search = (pool: Pool, loadMs: number) => {
      const worth = (first: ProviderRecord, highest: number) => {
        if (first.indexedCost > by.costMax) return false;
        const leastMs = Math.max(0, -highest - by.nowMs) + loadMs + runMs;
        const bound = first.indexedCost + (task.ratio * leastMs) / 1_000;
        if (best !== null) return bound < best.score || (bound === best.score && leastMs / 1_000 < best.seconds);
        return over === null || bound < over.score;
      };
      pool.busy.explore(worth, (provider) => {
        if (!worth(provider, -provider.indexedFreeAtMs) || task.class.excludes(provider, failedToo)) return false;
        const option = optionOf(task, provider, kind, by, provider.holders.length);
        if ((over === null || option.score < over.score) && isBetter(option, best)) best = option;
        return false;
      });
    };
    const warm = model === "" ? undefined : kind.warm.get(model);
    if (warm !== undefined) search(warm, 0);
    // Those of them that are warm were found above; for the others the loading is sure.
    search(kind.all, model === "" ? 0 : by.estimates.loadMs(model, kind.speed));
  }
  return best;
}

/** The least price among all available providers of up to `costMax`, free and busy, that this class may have; Infinity for none. */
export function leastCost(taskClass: TaskClass, costMax: number, failedToo: boolean): number {
  let least = Infinity;
  const scan = (provider: ProviderRecord) => {
    if (provider.indexedCost > costMax || taskClass.excludes(provider, failedToo)) return false;
    least = Math.min(least, provider.indexedCost);
    return true;
  };
  for (const kind of taskClass.kinds) {
    const worth = (first: ProviderRecord) => first.indexedCost < least && first.indexedCost <= costMax;
    kind.all.free.explore(worth, scan);
    kind.all.busy.explore(worth, scan);
  }
  return least;
}
