import { EventQueue } from "../../simulator/event-queue.ts";
import { percentile } from "../../support/percentile.ts";
import type { Given, Policy } from "./policy.ts";
import { type Job, type Machine, runMsOf } from "./workload.ts";

/** What a policy made of a trace. */
export interface Quality {
  readonly policy: string;
  readonly meanSeconds: number;
  readonly p95Seconds: number;
  readonly loadsPerHundred: number;
  readonly costPerTask: number;
}

/** Plays a trace through a policy. What comes first, while it still learns, counts as much as the rest. */
export function play(policy: Policy, jobs: readonly Job[]): Quality {
  const queue = new EventQueue();
  const warm = new Map<Machine, string>();
  const seconds: number[] = [];
  let nowMs = 0;
  let loads = 0;
  let cost = 0;
  const start = (given: readonly Given[]) => {
    for (const one of given) {
      const { job, machine } = one;
      const isCold = warm.get(machine) !== job.model;
      warm.set(machine, job.model);
      loads += Number(isCold);
      cost += machine.gpu.cost;
      const measured = { runMs: runMsOf(job, machine), loadMs: isCold ? machine.gpu.loadMs : 0 };
      queue.add(nowMs + measured.runMs + measured.loadMs, () => {
        seconds.push((nowMs - job.atMs) / 1_000);
        start(policy.ended(nowMs, one, measured));
      });
    }
  };
  for (const job of jobs) queue.add(job.atMs, () => start(policy.arrived(nowMs, job)));
  while (seconds.length < jobs.length) {
    if (policy.nextAtMs() < queue.nextAtMs) {
      nowMs = Math.max(nowMs, policy.nextAtMs());
      start(policy.woken(nowMs));
      continue;
    }
    nowMs = Math.max(nowMs, queue.nextAtMs);
    const run = queue.take();
    if (run === undefined)
      throw new Error(`${policy.name} left ${jobs.length - seconds.length} jobs waiting for ever.`);
    run();
  }
  return {
    policy: policy.name,
    meanSeconds: seconds.reduce((sum, one) => sum + one, 0) / seconds.length,
    p95Seconds: percentile(seconds, 0.95),
    loadsPerHundred: (loads / jobs.length) * 100,
    costPerTask: cost / jobs.length,
  };
}
