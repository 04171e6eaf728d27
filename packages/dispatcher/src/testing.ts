/** The door for tests alone: a dispatcher with mistakes planted into it, to show that the invariants catch them. */

import { Dispatcher } from "./dispatcher.ts";
import type { DispatcherOptions } from "./options.ts";
import type { PlantedFault } from "./planted-faults.ts";

export { PLANTED_FAULTS, type PlantedFault } from "./planted-faults.ts";

/** A dispatcher that makes the mistakes named. */
export function faultyDispatcher(
  planted: readonly PlantedFault[],
  options: Partial<DispatcherOptions> = {},
): Dispatcher {
  return new Dispatcher(options, planted);
}
