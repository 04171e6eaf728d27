import type { PlantedFault } from "../planted-faults.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { Exclusion, TaskClass } from "../state/task-class.ts";
import type { TaskRecord } from "../state/task-record.ts";
import { leastCost } from "./choose.ts";

type Planted = ReadonlySet<PlantedFault>;

/** Whether providers that failed a task of this class are let in again, because every other that it could pay has failed it too. */
export function letsFailedIn(taskClass: TaskClass, planted: Planted): boolean {
  const { exclusion } = taskClass;
  if (exclusion === null || exclusion.failed.size === 0) return false;
  if (planted.has("failedProviderReused")) return true;
  let untried = false;
  for (const kind of taskClass.kinds) {
    const worth = (first: ProviderRecord) => !untried && first.indexedCost <= exclusion.maxCost;
    const look = (provider: ProviderRecord) => {
      untried ||= provider.indexedCost <= exclusion.maxCost && !exclusion.failed.has(provider.providerId);
      return untried;
    };
    kind.all.free.explore(worth, look);
    kind.all.busy.explore(worth, look);
  }
  return !untried;
}

/** Whether this provider may not have tasks of this class for what happened to them so far. */
export function keepsAway(taskClass: TaskClass, provider: ProviderRecord, planted: Planted): boolean {
  return taskClass.exclusion !== null && taskClass.excludes(provider, letsFailedIn(taskClass, planted));
}

/** Whether nobody may have tasks of this class until a reject is forgotten. */
export function isSetAside(taskClass: TaskClass, planted: Planted): boolean {
  const { exclusion } = taskClass;
  if (exclusion === null || exclusion.skipped.size === 0) return false;
  return leastCost(taskClass, exclusion.maxCost, letsFailedIn(taskClass, planted)) === Infinity;
}

/** Whether a slot of this provider, of whose kind the class is, may be given to a task of it: not where it is kept away, and at ratio 0
 *  only for the least price. */
export function mayServe(provider: ProviderRecord, taskClass: TaskClass, planted: Planted): boolean {
  if (taskClass.exclusion === null && !taskClass.frugal) return true;
  const failedToo = letsFailedIn(taskClass, planted);
  if (taskClass.excludes(provider, failedToo)) return false;
  if (!taskClass.frugal) return true;
  return provider.indexedCost <= leastCost(taskClass, taskClass.exclusion?.maxCost ?? Infinity, failedToo);
}

/** Whom a task may not have, or null where nothing has gone wrong with it. */
export function exclusionOf({ trouble, maxCost }: TaskRecord): Exclusion | null {
  if (trouble === null || trouble.failed.size + trouble.skipped.size === 0) return null;
  return { failed: new Set(trouble.failed), skipped: new Set(trouble.skipped.keys()), maxCost };
}
