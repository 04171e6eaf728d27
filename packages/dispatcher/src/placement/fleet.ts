import type { Estimates } from "../estimates.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import { aheadMs, capacityOf, slotsOf } from "./ahead.ts";
import { Kind, kindKeyOf, type Pool } from "./kind.ts";

/** Width of a speed bucket: a fifth. */
export const SPEED_STEP = 1.2;

/** The connected providers by kind, each where the choice finds it. */
export class Fleet {
  readonly #estimates: Estimates;
  readonly #ignoresDrain: boolean;
  readonly #ignoresRest: boolean;
  readonly #overfills: boolean;
  readonly #kinds = new Map<string, Kind>();

  constructor(estimates: Estimates, mistakes: { ignoresDrain: boolean; ignoresRest: boolean; overfills: boolean }) {
    this.#estimates = estimates;
    this.#ignoresDrain = mistakes.ignoresDrain;
    this.#ignoresRest = mistakes.ignoresRest;
    this.#overfills = mistakes.overfills;
  }

  kinds(): IterableIterator<Kind> {
    return this.#kinds.values();
  }

  get kindCount(): number {
    return this.#kinds.size;
  }

  /** Whether it may be given work at all, be it busy or not. */
  isAvailable(provider: ProviderRecord): boolean {
    const { offer } = provider;
    if (offer === null || !provider.online || !offer.ready || provider.silent) return false;
    if (provider.draining && !this.#ignoresDrain) return false;
    return provider.breaker !== "resting" || this.#ignoresRest;
  }

  /** Slots that would take a task now. */
  freeSlotsOf(provider: ProviderRecord): number {
    if (!this.isAvailable(provider)) return 0;
    return Math.max(0, slotsOf(provider) + Number(this.#overfills) - provider.attempts.length);
  }

  /** Whether it would be sent a task beyond its slots. */
  hasRoom(provider: ProviderRecord): boolean {
    return this.isAvailable(provider) && provider.attempts.length < capacityOf(provider);
  }

  /** Puts a provider where it belongs now. Tells of kinds that are new or gone. */
  place(provider: ProviderRecord, nowMs: number): { readonly added: Kind | null; readonly gone: Kind | null } {
    const before = provider.kind;
    const kind = this.#kindOf(provider);
    this.#takeOut(provider);
    if (before !== kind) {
      if (before !== null) before.providers -= 1;
      if (kind !== null) kind.providers += 1;
      provider.kind = kind;
    }
    const added = kind !== null && kind !== before && kind.providers === 1 ? kind : null;
    if (kind !== null) this.#putIn(provider, kind, nowMs);
    const gone = before !== null && before.providers === 0 ? before : null;
    if (gone !== null) this.#kinds.delete(gone.key);
    return { added, gone };
  }

  /** The tasks that are held for it changed: only its place among the busy ones moves. */
  retime(provider: ProviderRecord, nowMs: number): void {
    const { kind } = provider;
    if (kind === null || provider.standing !== "busy") return;
    const pools = poolsOf(provider, kind);
    for (const pool of pools) pool.busy.delete(provider);
    provider.indexedFreeAtMs = nowMs + aheadMs(provider, nowMs, provider.holders.length);
    for (const pool of pools) pool.busy.add(provider);
  }

  #kindOf(provider: ProviderRecord): Kind | null {
    const { offer } = provider;
    if (offer === null || !provider.online) return null;
    if (provider.kind !== null && provider.kindOffer === offer && provider.kindBucket === provider.speedBucket) {
      return provider.kind;
    }
    provider.kindOffer = offer;
    provider.kindBucket = provider.speedBucket;
    const key = kindKeyOf(offer, provider.speedBucket);
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      const speed = this.#estimates.speedOf(offer.gpuType?.toLowerCase() ?? null, offer.engine?.toLowerCase() ?? null);
      kind = new Kind(key, offer, speed, SPEED_STEP ** provider.speedBucket);
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  #takeOut(provider: ProviderRecord): void {
    const { kind, standing } = provider;
    if (kind === null) return;
    if (standing !== "unavailable") for (const pool of poolsOf(provider, kind)) pool[standing].delete(provider);
    if (provider.indexedWarmModel !== null) kind.dropWarmPoolWhereEmpty(provider.indexedWarmModel);
    kind.slots -= provider.indexedSlots;
    kind.freeSlots -= provider.indexedFreeSlots;
    kind.withRoom -= Number(provider.indexedRoom);
    provider.standing = "unavailable";
    provider.indexedSlots = 0;
    provider.indexedFreeSlots = 0;
    provider.indexedRoom = false;
  }

  #putIn(provider: ProviderRecord, kind: Kind, nowMs: number): void {
    const freeSlots = this.freeSlotsOf(provider);
    provider.indexedSlots = provider.offer?.slots ?? 0;
    provider.indexedFreeSlots = freeSlots;
    kind.slots += provider.indexedSlots;
    kind.freeSlots += freeSlots;
    if (!this.isAvailable(provider)) return;
    provider.standing = freeSlots > 0 ? "free" : "busy";
    provider.indexedRoom = freeSlots === 0 && this.hasRoom(provider);
    kind.withRoom += Number(provider.indexedRoom);
    provider.indexedCost = provider.cost;
    provider.indexedIdleSinceMs = provider.idleSinceMs;
    provider.indexedWarmModel = provider.warmModel;
    if (freeSlots === 0) provider.indexedFreeAtMs = nowMs + aheadMs(provider, nowMs, provider.holders.length);
    for (const pool of poolsOf(provider, kind)) pool[provider.standing].add(provider);
  }
}

function poolsOf(provider: ProviderRecord, kind: Kind): readonly Pool[] {
  return provider.indexedWarmModel === null ? [kind.all] : [kind.all, kind.warmPool(provider.indexedWarmModel)];
}
