import type { Core } from "../core.ts";
import { mismatchOf } from "../placement/mismatch.ts";
import { isSetAside, keepsAway } from "../placement/permission.ts";
import { canonicalRequirements, keyOfCanonical } from "../requirement-class-key.ts";
import type { Requirements } from "../task.ts";
import type { IdleProvider } from "./snapshots.ts";

/** How a requirement class stands. */
export interface ClassDemand {
  /** Its tasks that wait here. */
  readonly waiting: number;
  /** Those of them that nobody may have now: everybody who could run them rejected them a moment ago, or is away. */
  readonly setAside: number;
  /** Slots of connected providers that fit it, whatever they do now. */
  readonly fittingSlots: number;
  /** Those of them that would take a task now. */
  readonly idleSlots: number;
}

/** Requirement classes that the caller keeps tasks of elsewhere, and wants to know the demand for. */
export class RegisteredClasses {
  readonly #requirements = new Map<string, Requirements>();

  register(requirements: Requirements): void {
    const canonical = canonicalRequirements(requirements);
    this.#requirements.set(keyOfCanonical(canonical), canonical);
  }

  forget(classKey: string): void {
    this.#requirements.delete(classKey);
  }

  demand(core: Core, classKey: string): ClassDemand {
    const count = core.placement.backlog.demand.byRequirement.get(classKey);
    const [taskClass] = count?.classes.keys() ?? [];
    const requirements = this.#requirements.get(classKey) ?? taskClass?.requirements;
    let fittingSlots = 0;
    let idleSlots = 0;
    for (const kind of requirements === undefined ? [] : core.placement.fleet.kinds()) {
      if (mismatchOf(requirements as Requirements, kind) !== null) continue;
      fittingSlots += kind.slots;
      idleSlots += kind.freeSlots;
    }
    let setAside = 0;
    for (const [each, tasks] of count?.classes ?? []) if (isSetAside(each, core.planted)) setAside += tasks;
    return { waiting: count?.tasks ?? 0, setAside, fittingSlots, idleSlots };
  }

  /** Free slots that no task here would take, cheapest first within each kind, at most `limit` providers. */
  idleProviders(core: Core, limit: number): IdleProvider[] {
    const idle: IdleProvider[] = [];
    for (const kind of core.placement.fleet.kinds()) {
      if (kind.all.free.size === 0) continue;
      const classKeys = [...this.#requirements].flatMap(([key, requirements]) =>
        mismatchOf(requirements, kind) === null ? [key] : [],
      );
      for (const provider of kind.all.free.values()) {
        if (idle.length >= limit) return idle;
        const { providerId, cost } = provider;
        const isWanted = [...kind.classes].some(
          (taskClass) => taskClass.order.highest >= cost && !keepsAway(taskClass, provider, core.planted),
        );
        if (!isWanted)
          idle.push({ providerId, cost, idleSlots: core.placement.fleet.freeSlotsOf(provider), classKeys });
      }
    }
    return idle;
  }
}
