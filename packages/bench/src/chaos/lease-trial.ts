import { runFaultyFleet } from "./support/faulty-fleet.ts";

export interface LeaseTrialOptions {
  readonly seed: number;
  readonly tasks: number;
  readonly pauseMs?: number;
  readonly blackHoleMsMax?: number;
}

/** A server, two nodes, a bad network and two legacy nodes as real processes, and a nemesis that kills, cuts, black-holes and slows at random. */
export async function leaseTrial({ seed, tasks, pauseMs, blackHoleMsMax }: LeaseTrialOptions): Promise<void> {
  const fleet = { nodes: 2, slots: 4, stepMs: 100, legacyNodes: 2 };
  await runFaultyFleet({ name: "lease", seed, tasks, fleet, serverToo: true, pauseMs, blackHoleMsMax });
}
