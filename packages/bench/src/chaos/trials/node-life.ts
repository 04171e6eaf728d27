import { FAULT_OPTIONS, type FaultyFleetOption, runFaultyFleet } from "../fleet/faulty-fleet.ts";
import type { Trial } from "../trial.ts";

/** Two nodes, each with a stand-in of ComfyUI as a process beside it: nodes are killed, their sockets cut and their engines restarted at random,
 *  while the server stays. */
export const nodeLife: Trial<FaultyFleetOption> = {
  name: "node-life",
  onlyStore: "sqlite",
  what: "nodes that are killed and cut, and engines that are restarted, lose no result that was made",
  options: {
    tasks: { default: 500, what: "tasks to submit" },
    ...FAULT_OPTIONS,
  },
  run: (context) =>
    runFaultyFleet(context, { fleet: { nodes: 2, slots: 4, stepMs: 0, engine: "comfyUI" }, serverToo: false }),
};
