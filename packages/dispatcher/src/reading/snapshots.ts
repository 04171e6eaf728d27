import type { AttemptState } from "../effect.ts";

/** How an unsettled task stands, for read-outs. */
export interface TaskSnapshot {
  readonly taskId: string;
  readonly userId: string;
  /** `waiting`: may be given out now. `backingOff`: after a fault, not yet. `running`: somebody works on it. `adrift`: its attempts
   *  are lost, and it is too early for another. */
  readonly state: "waiting" | "backingOff" | "running" | "adrift";
  /** How many of its user's waiting tasks stand before it, by their order; null unless it waits. */
  readonly position: number | null;
  /** What one attempt of it is expected to take on the provider that runs it, or on the fastest kind that is here; null when nobody
   *  here could run it. */
  readonly expectedSeconds: number | null;
  readonly open: readonly {
    readonly attempt: number;
    readonly providerId: string;
    readonly state: AttemptState;
    readonly progress: number;
  }[];
}

/** How a provider stands, for read-outs. */
export interface ProviderSnapshot {
  readonly providerId: string;
  readonly online: boolean;
  readonly draining: boolean;
  /** Connected, but silent for a whole lease. */
  readonly silent: boolean;
  readonly breaker: "closed" | "resting" | "trial";
  /** Time until its rest ends, in milliseconds; null when it does not rest. */
  readonly restsForMs: number | null;
  readonly cost: number;
  readonly slots: number;
  /** Attempts that sit on its slots: open ones, and aborted ones that have not left yet. */
  readonly running: number;
  /** Slots that would take a task now: 0 while it drains, rests or is away. */
  readonly freeSlots: number;
  readonly warmModel: string | null;
  /** What a picture of 512 × 512 pixels and 20 steps is expected to take with the model in memory, in milliseconds; null for a provider
   *  that is away or makes none. */
  readonly pictureMs: number | null;
}

/** Idle slots for which nothing waits here, so that the caller can look for tasks elsewhere. */
export interface IdleProvider {
  readonly providerId: string;
  readonly cost: number;
  readonly idleSlots: number;
  /** Those of the registered class keys that it serves. */
  readonly classKeys: readonly string[];
}
