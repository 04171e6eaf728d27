import { EventQueue } from "../../simulator/event-queue.ts";
import { percentile } from "../../support/percentile.ts";
import type { Given, Policy } from "./policy.ts";
import { type Job, type Machine, runMsOf } from "./workload.ts";

/** What a policy made of a trace. */
export interface Quality {
  readonly policy: string;
  readonly meanSeconds: number;
  readonly p95Seconds: number;
  /** The 95th percentile of each user alone: the mean over the users, and that of the user who has the worst. */
  readonly userP95Seconds: number;
  readonly worstUserP95Seconds: number;
  /** The 95th percentile of the jobs that came alone, not in a burst: what turns between users are for. */
  readonly aloneP95Seconds: number;
  readonly loadsPerHundred: number;
  readonly costPerTask: number;
}

/** Plays a trace through a policy. What comes first, while it still learns, counts as much as the rest. */
export function play(policy: Policy, jobs: readonly Job[]): Quality {
  const queue = new EventQueue();
  const warm = new Map<Machine, string>();
  const seconds: number[] = [];
  const byUser = new Map<string, number[]>();
  const alone: number[] = [];
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
        const took = (nowMs - job.atMs) / 1_000;
        seconds.push(took);
        const ofUser = byUser.get(job.userId) ?? [];
        byUser.set(job.userId, ofUser);
        ofUser.push(took);
        if (job.isAlone) alone.push(took);
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
  const userP95s = [...byUser.values()].map((each) => percentile(each, 0.95));
  return {
    policy: policy.name,
    meanSeconds: seconds.reduce((sum, one) => sum + one, 0) / seconds.length,
    p95Seconds: percentile(seconds, 0.95),
    userP95Seconds: userP95s.reduce((sum, one) => sum + one, 0) / userP95s.length,
    worstUserP95Seconds: Math.max(...userP95s),
    aloneP95Seconds: percentile(alone, 0.95),
    loadsPerHundred: (loads / jobs.length) * 100,
    costPerTask: cost / jobs.length,
  };
}
