import { writeFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { percentile } from "../support/percentile.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { Cycles, offerOf, type Prices, taskOf } from "./fleet.ts";
import { curveOf } from "./quality/curve.ts";
import { OurPolicy } from "./quality/our-policy.ts";
import { play, type Quality } from "./quality/play.ts";
import { FewestRunning, Fifo, FifoInTurn, ModelPressure } from "./quality/simple-policies.ts";
import { drawJobs, type Job } from "./quality/workload.ts";
import { ScanningScheduler } from "./scanning-scheduler.ts";

const RATIOS = [0, 0.003, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.25, 0.5, 1, 2, 3, 10] as const;
const MEASURES = 7;
/** Cycles that the compiler is given, for each that is measured at a time. */
const WARM_UP = 4;

/** Median of several measures of so many cycles after a first one, in microseconds of processor time: others' work counts little. */
function medianUs(measure: (cycles: number) => number, cycles: number): number {
  measure(cycles);
  return percentile(
    Array.from({ length: MEASURES }, () => measure(cycles)),
    0.5,
  );
}

function decisionUs(providers: number, prices: Prices, cycles: number): number {
  const fleet = new Cycles({ providers, prices, waiting: 0, users: 100 });
  return medianUs((many) => fleet.measure(many), cycles);
}

/** Cycles of the scheduler that scans, one provider free among so many, and of one with every provider free. */
function scanningUs(providers: number, cycles: number): number {
  const scheduler = new ScanningScheduler();
  for (let n = 0; n < providers; n++) scheduler.join(offerOf(n, "few"));
  let tasks = 0;
  const submit = () => scheduler.submit(taskOf(`t${++tasks}`, "u"));
  return medianUs((many) => {
    const start = process.cpuUsage();
    for (let i = 0; i < many; i++) {
      const given = submit();
      if (given !== null) scheduler.complete(given);
    }
    return process.cpuUsage(start).user / many;
  }, cycles);
}

/** Ours on the same fleet, every provider free. */
function idleFleetUs(providers: number, cycles: number): number {
  const fleet = new Cycles({ providers: 1, prices: "few", waiting: 0, users: 1 });
  for (let n = 1; n < providers; n++) {
    fleet.dispatcher.step(0, { type: "providerJoined", provider: offerOf(n, "few"), held: [] });
  }
  return medianUs((many) => fleet.measure(many), cycles);
}

function collectedBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
  return process.memoryUsage().heapUsed;
}

function waitingFigures(waiting: number, cycles: number): { readonly us: number; readonly bytes: number } {
  const before = collectedBytes();
  const fleet = new Cycles({ providers: 1, prices: "few", waiting, users: 1_000 });
  const bytes = (collectedBytes() - before) / waiting;
  return { us: medianUs((many) => fleet.measure(many), cycles), bytes };
}

/** Whether ours is no worse on the three and a tenth better on one. */
function beats(ours: Quality, other: Quality): boolean {
  const shares = [
    ours.p95Seconds / other.p95Seconds,
    ours.costPerTask / other.costPerTask,
    ours.loadsPerHundred / other.loadsPerHundred,
  ];
  return shares.every((share) => share <= 1) && shares.some((share) => share <= 0.9);
}

/** What simple policies make of a trace. */
function playOthers(jobs: readonly Job[]): Quality[] {
  return [new Fifo(), new FifoInTurn(), new FewestRunning(), new ModelPressure()].map((policy) => play(policy, jobs));
}

/** What ours makes of it at each ratio. */
function playOurs(jobs: readonly Job[], warmTurns: boolean) {
  return RATIOS.map((ratio) => ({ ratio, quality: play(new OurPolicy(ratio, warmTurns), jobs) }));
}

function qualityRow(trace: string, quality: Quality) {
  return {
    what: `${trace}, ${quality.policy}`,
    "mean s": rounded(quality.meanSeconds),
    "p95 s": rounded(quality.p95Seconds),
    "p95 by user": rounded(quality.userP95Seconds),
    "worst user": rounded(quality.worstUserP95Seconds),
    "p95 alone": rounded(quality.aloneP95Seconds),
    "loads for 100": rounded(quality.loadsPerHundred),
    "cost a task": rounded(quality.costPerTask),
  };
}

/** How long a decision takes, what a waiting task weighs, and how good the decisions are. Everything is compared within one run. */
export async function dispatcher({ tasks = 1_000_000, json, curve }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const cycles = Math.min(5_000, Math.max(50, tasks / 100));
  // The compiler has seen everything before anything counts.
  for (const waiting of [0, 100]) {
    new Cycles({ providers: 100, prices: "few", waiting, users: 100 }).measure(cycles * WARM_UP);
  }
  const few = [100, 1_000, 10_000].map((providers) => ({ providers, us: decisionUs(providers, "few", cycles) }));
  const own = [10, 100, 1_000, 10_000].map((providers) => ({ providers, us: decisionUs(providers, "own", cycles) }));
  const scanning = scanningUs(1_000, Math.min(cycles, 500));
  const idle = idleFleetUs(1_000, cycles);
  const little = waitingFigures(1_000, cycles);
  const much = waitingFigures(tasks, cycles);

  const jobs = drawJobs(Math.min(20_000, Math.max(200, tasks / 50)), 1);
  const others = playOthers(jobs);
  const ours = playOurs(jobs, false);
  // Without others to be fair to: what of a difference is fairness, and what is not. The simple ones but that in turn know no users.
  const alone = playOurs(
    jobs.map((job) => ({ ...job, userId: "alone" })),
    false,
  );
  const traces = [
    { trace: "12 users", others, ours },
    { trace: "12 users, warm turns", others, ours: playOurs(jobs, true) },
    { trace: "one user", others: others.filter(({ policy }) => policy !== "FIFO in turn"), ours: alone },
  ];
  if (curve !== null) await writeFile(curve, curveOf(ours, others));

  const timed = (what: string, us: number) => ({ what, "µs a cycle": rounded(us) });
  const first = (rows: readonly { readonly us: number }[]) => rows[0]?.us ?? 0;
  const last = (rows: readonly { readonly us: number }[]) => rows.at(-1)?.us ?? 0;
  report(
    machine,
    {
      bench: "dispatcher",
      load: { tasks, cycles, jobs: jobs.length },
      rows: [
        ...few.map(({ providers, us }) => timed(`one free of ${providers}, 20 kinds`, us)),
        ...own.map(({ providers, us }) => timed(`one free of ${providers}, each of its own price`, us)),
        timed("1000 free, ours", idle),
        timed("1000 free, scanning", scanning),
        timed("1000 waiting", little.us),
        timed(`${tasks} waiting`, much.us),
        ...others.map((quality) => qualityRow("12 users", quality)),
        ...traces.flatMap(({ trace, ours }) => ours.map(({ quality }) => qualityRow(trace, quality))),
      ],
      checks: [
        { what: "10,000 providers beside 100, 20 kinds", value: last(few) / first(few), unit: "×", bound: { most: 2 } },
        { what: "10,000 prices beside 10", value: last(own) / first(own), unit: "×", bound: { most: 10 } },
        { what: "cycles beside a scheduler that scans 1,000", value: scanning / idle, unit: "×", bound: { least: 10 } },
        { what: "a waiting task", value: much.bytes, unit: "bytes", bound: { most: 1_000 } },
        { what: `${tasks} waiting beside 1,000`, value: much.us / little.us, unit: "×", bound: { most: 2 } },
        ...traces.flatMap(({ trace, ours, others }) =>
          others.map((other) => ({
            what: `${trace}, ratios that beat ${other.policy}`,
            value: ours.filter(({ quality }) => beats(quality, other)).length,
            unit: `of ${RATIOS.length}`,
            bound: { least: 1 },
          })),
        ),
      ],
    },
    json,
  );
}
