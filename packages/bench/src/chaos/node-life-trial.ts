import { runFaultyFleet } from "./support/faulty-fleet.ts";

export interface NodeLifeTrialOptions {
  readonly seed: number;
  readonly tasks: number;
  readonly pauseMs?: number;
  readonly blackHoleMsMax?: number;
}

/** Two nodes, each with a stand-in of ComfyUI as a process beside it: nodes are killed, their sockets cut and their engines restarted at random,
 *  while the server stays. */
export async function nodeLifeTrial({ seed, tasks, pauseMs, blackHoleMsMax }: NodeLifeTrialOptions): Promise<void> {
  const fleet = { nodes: 2, slots: 4, stepMs: 0, engine: "comfyUI" } as const;
  await runFaultyFleet({ name: "node-life", seed, tasks, fleet, serverToo: false, pauseMs, blackHoleMsMax });
}
