import { runFaultyFleet } from "../fleet/faulty-fleet.ts";
import type { Trial } from "../trial.ts";

/** Two nodes, each with a stand-in of ComfyUI as a process beside it: nodes are killed, their sockets cut and their engines restarted at random,
 *  while the server stays. */
export const nodeLife: Trial<"tasks" | "pauseMs" | "blackHoleMsMax"> = {
  name: "node-life",
  onlyStore: "sqlite",
  what: "nodes that are killed and cut, and engines that are restarted, lose no result that was made",
  options: {
    tasks: { default: 500, what: "tasks to submit" },
    pauseMs: { default: 1_500, what: "milliseconds between two faults, on average" },
    blackHoleMsMax: {
      default: 27_000,
      what: "longest black hole; the default is longer than the silence that ends a socket",
    },
  },
  run: (context) =>
    runFaultyFleet(context, { fleet: { nodes: 2, slots: 4, stepMs: 0, engine: "comfyUI" }, serverToo: false }),
};
