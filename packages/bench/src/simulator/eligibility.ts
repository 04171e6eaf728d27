import {
  type Dispatcher,
  normalizeModel,
  type Provider,
  type ProviderSnapshot,
  type Requirements,
  type Task,
} from "@genai/dispatcher";
import type { Ledger, LedgerProvider, LedgerTask } from "./ledger.ts";

/** Whether an offer meets requirements: DESIGN's rules once more, read anew at each call. */
function fits(requirements: Requirements, offer: Provider): boolean {
  const { engine, gpuType, vramBytesMin, models } = requirements;
  if (offer.engine !== null) {
    if (!offer.pipelines.includes(requirements.pipeline)) return false;
    if (engine !== null && engine.toLowerCase() !== offer.engine.toLowerCase()) return false;
  }
  if (gpuType !== null && gpuType.toLowerCase() !== offer.gpuType?.toLowerCase()) return false;
  if (vramBytesMin !== null && (offer.vramBytes ?? -1) < vramBytesMin) return false;
  if (requirements.imageInput === "required" && !offer.imageInput) return false;
  if (offer.models.length === 0 || (offer.legacy && requirements.modelIsWishOnLegacy)) return true;
  const offered = new Set(offer.models.map(normalizeModel));
  return models.every((model) => normalizeModel(model) === "" || offered.has(normalizeModel(model)));
}

/** Who may have what, by the ledger; only conduct and silence are the dispatcher's word. */
export class Eligibility {
  readonly #ledger: Ledger;
  readonly #dispatcher: Dispatcher;
  readonly #snapshots = new Map<string, ProviderSnapshot | null>();

  /** Holds for one moment: what it looked up it keeps. */
  constructor(ledger: Ledger, dispatcher: Dispatcher) {
    this.#ledger = ledger;
    this.#dispatcher = dispatcher;
  }

  snapshot(providerId: string): ProviderSnapshot | null {
    let snapshot = this.#snapshots.get(providerId);
    if (snapshot === undefined) {
      snapshot = this.#dispatcher.provider(providerId);
      this.#snapshots.set(providerId, snapshot);
    }
    return snapshot;
  }

  /** Whether it may be given work at all. */
  isAvailable(provider: LedgerProvider): boolean {
    if (!provider.online || !provider.offer.ready || provider.draining) return false;
    const snapshot = this.snapshot(provider.providerId);
    return snapshot !== null && !snapshot.silent && snapshot.breaker !== "resting";
  }

  /** Slots that are free now. */
  freeSlots(provider: LedgerProvider): number {
    if (!this.isAvailable(provider)) return 0;
    const { open, sitting } = this.#ledger.occupied(provider);
    const onTrial = this.snapshot(provider.providerId)?.breaker === "trial";
    return Math.max(0, (onTrial ? 1 : provider.offer.slots) - open - sitting);
  }

  /** Why a task may not go there, or null where it may. */
  objection(entry: LedgerTask, provider: LedgerProvider): string | null {
    const { task } = entry;
    if (!this.isAvailable(provider)) return "is not available";
    if (!fits(task.requirements, provider.offer)) return "does not offer what it asks for";
    if (provider.offer.cost > task.maxCost) return `costs ${provider.offer.cost}, more than ${task.maxCost}`;
    if ((entry.skippedUntilMs.get(provider.providerId) ?? -Infinity) > this.#ledger.nowMs)
      return "rejected it just now";
    if (entry.failed.has(provider.providerId) && this.#untriedRemain(entry)) return "failed it, and others have not";
    return null;
  }

  /** The least price of all that may have it, the busy ones included. */
  leastCost(entry: LedgerTask): number {
    let least = Infinity;
    for (const provider of this.#ledger.providers.values()) {
      if (provider.offer.cost < least && this.objection(entry, provider) === null) least = provider.offer.cost;
    }
    return least;
  }

  #untriedRemain({ task, failed }: { task: Task; failed: ReadonlySet<string> }): boolean {
    for (const provider of this.#ledger.providers.values()) {
      if (failed.has(provider.providerId) || provider.offer.cost > task.maxCost) continue;
      if (this.isAvailable(provider) && fits(task.requirements, provider.offer)) return true;
    }
    return false;
  }
}
