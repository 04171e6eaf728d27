import { normalizeModel } from "../normalize-model.ts";
import type { Provider } from "../provider.ts";
import type { AttemptRecord } from "./attempt-record.ts";
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
  readonly attempts = new Set<AttemptRecord>();
  /** Model in memory after what it was sent last, normalized; null when unknown. */
  warmModel: string | null = null;
  idleSinceMs = 0;
  /** Order of appearance: the last tie-breaker. */
  readonly sequence: number;

  breaker: BreakerState = "closed";
  faultsInRow = 0;
  rests = 0;
  readonly restTimer: Timer = providerTimer("restEnds", this);

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
