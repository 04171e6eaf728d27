import { normalizeModel } from "../normalize-model.ts";
import type { Kind } from "../placement/kind.ts";
import type { Provider } from "../provider.ts";
import type { AttemptRecord } from "./attempt-record.ts";
import type { TaskRecord } from "./task-record.ts";
import type { Timer } from "./timer.ts";
import { providerTimer } from "./timer.ts";

/** How far a provider is trusted. `resting`: given nothing. `trial`: given one attempt at a time until one succeeds. */
export type BreakerState = "closed" | "resting" | "trial";

/** A provider as the core keeps it: while it is connected, has attempts, or is remembered for its conduct. */
export class ProviderRecord {
  readonly providerId: string;
  /** What it said last; null where only a restored attempt names it. */
  offer: Provider | null = null;
  online = false;
  draining = false;
  /** Connected, but its leases ended without a sign of life: given nothing until it is heard. */
  silent = false;
  lastHeardAtMs = 0;
  /** Attempts that are open or still sit on a slot, in the order of sending. */
  readonly attempts: AttemptRecord[] = [];
  /** Model in memory after what it was sent last, normalized; null when unknown. */
  warmModel: string | null = null;
  idleSinceMs = 0;
  /** Order of appearance: the last tie-breaker. */
  readonly sequence: number;

  breaker: BreakerState = "closed";
  faultsInRow = 0;
  rests = 0;
  readonly restTimer: Timer = providerTimer("restEnds", this);

  /** Armed while it is gone and remembered for its conduct alone. */
  readonly conductTimer: Timer = providerTimer("conductAges", this);
  /** Numbers those in the order of going; 0 while it is not among them. */
  goneNumber = 0;

  /** Its own error of estimates: mean of the logarithm of measured / expected. */
  slownessLog = 0;
  /** Bucket of that, a fifth wide each; part of its kind, so it moves only when the mean has clearly left it. */
  speedBucket = 0;
  /** Armed while the bucket is another than the middle one. */
  readonly slownessTimer: Timer = providerTimer("slownessAges", this);

  /** Tasks that are held for it, first come, first served. */
  readonly holders: TaskRecord[] = [];
  /** Tasks that declined its free slot and are held for another's. */
  readonly decliners = new Set<TaskRecord>();
  /** Its places among the providers to renew and the slots to offer. */
  changedPlace = -1;
  offerPlace = -1;

  /** Where it stands in the fleet; null while it is not connected. Changed by the fleet alone, like all of the following. */
  kind: Kind | null = null;
  /** The offer and bucket that its kind was found by. */
  kindOffer: Provider | null = null;
  kindBucket = 0;
  standing: "free" | "busy" | "unavailable" = "unavailable";
  /** What it is sorted by; the true values may have moved on since. */
  indexedCost = 0;
  indexedIdleSinceMs = 0;
  /** Never later than the truth: what overruns only gets later. */
  indexedFreeAtMs = 0;
  indexedWarmModel: string | null = null;
  indexedSlots = 0;
  indexedFreeSlots = 0;
  indexedRoom = false;

  constructor(providerId: string, sequence: number) {
    this.providerId = providerId;
    this.sequence = sequence;
  }

  get legacy(): boolean {
    return this.offer?.legacy ?? false;
  }

  get cost(): number {
    return this.offer?.cost ?? 0;
  }

  /** Takes over what it says of itself. */
  describe(offer: Provider): void {
    this.offer = offer;
    if (offer.warmModel !== null) this.warmModel = normalizeModel(offer.warmModel);
  }
}
