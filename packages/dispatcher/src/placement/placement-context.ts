import type { Estimates } from "../estimates.ts";
import type { DispatcherOptions } from "../options.ts";
import type { PlantedFault } from "../planted-faults.ts";
import type { Timer } from "../state/timer.ts";
import type { Timers } from "../timers.ts";

/** What placement has to know of the core around it. */
export interface PlacementContext {
  readonly options: DispatcherOptions;
  /** Empty outside of tests. */
  readonly planted: ReadonlySet<PlantedFault>;
  /** The latest time heard. */
  readonly nowMs: number;
  readonly timers: Timers<Timer>;
  readonly estimates: Estimates;
}
