import { FAULT_OPTIONS, type FaultyFleetOption, runFaultyFleet } from "../fleet/faulty-fleet.ts";
import type { Trial } from "../trial.ts";

/** Two nodes, a bad network and two legacy nodes: a nemesis kills, cuts, black-holes and slows at random. */
export const lease: Trial<FaultyFleetOption> = {
  name: "lease",
  onlyStore: "sqlite",
  what: "a fleet under kills, cuts and black holes keeps every task and every result that reached a disk",
  options: {
    tasks: { default: 1_000, what: "tasks to submit" },
    ...FAULT_OPTIONS,
  },
  run: (context) =>
    runFaultyFleet(context, { fleet: { nodes: 2, slots: 4, stepMs: 100, legacyNodes: 2 }, serverToo: true }),
};
