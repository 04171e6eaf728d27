import { Random } from "../../simulator/random.ts";

/** A GPU type of the quality trace. */
interface GpuType {
  readonly name: string;
  /** Runs as fast as so many of the slowest. */
  readonly speed: number;
  /** Credits for a task. */
  readonly cost: number;
  readonly loadMs: number;
}

const GPU_TYPES: readonly GpuType[] = [
  { name: "3060", speed: 1, cost: 1, loadMs: 10_000 },
  { name: "3090", speed: 1.8, cost: 2, loadMs: 6_000 },
  { name: "4090", speed: 3, cost: 4, loadMs: 4_000 },
  { name: "h100", speed: 5, cost: 10, loadMs: 3_000 },
];
const EACH = 4;
const MODELS = 8;
/** What a task of size 1 runs on the slowest GPU. */
const RUN_MS = 20_000;
const LOAD = 0.7;
/** Loads for each task that count as part of that load. */
const LOADS_A_TASK = 0.5;

export interface Machine {
  readonly name: string;
  readonly gpu: GpuType;
}

export interface Job {
  readonly id: number;
  readonly atMs: number;
  readonly userId: string;
  readonly model: string;
  /** It is not one of a burst. */
  readonly isAlone: boolean;
  readonly size: number;
  /** What chance makes of its run. */
  readonly luck: number;
}

export const MACHINES: readonly Machine[] = GPU_TYPES.flatMap((gpu) =>
  Array.from({ length: EACH }, (_, n) => ({ name: `${gpu.name}-${n}`, gpu })),
);

export function runMsOf(job: Job, { gpu }: Machine): number {
  return Math.round((RUN_MS * job.size * job.luck) / gpu.speed);
}

/** Arrivals at 70 % of what the fleet can do: single tasks, and one in ten times a burst of one user with one model. */
export function drawJobs(count: number, seed: number): Job[] {
  const random = new Random(seed);
  const jobs: Job[] = [];
  const sizes = [0.5, 1, 1, 2] as const;
  const meanSize = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  // Tasks a millisecond that the fleet does when each runs where a slot is free.
  const capacity = MACHINES.reduce(
    (sum, { gpu }) => sum + 1 / ((RUN_MS * meanSize) / gpu.speed + LOADS_A_TASK * gpu.loadMs),
    0,
  );
  const burstMean = 0.9 + 0.1 * 20;
  let atMs = 0;
  while (jobs.length < count) {
    atMs += (-Math.log(1 - random.fraction()) * burstMean) / (capacity * LOAD);
    const many = random.chance(0.1) ? random.integer(10, 30) : 1;
    const userId = `u${random.integer(1, 12)}`;
    // A few models are asked for much more than the others.
    const model = `m${Math.floor(random.fraction() ** 2 * MODELS)}`;
    for (let i = 0; i < many; i++) {
      jobs.push({
        id: jobs.length,
        atMs,
        userId,
        model,
        isAlone: many === 1,
        size: random.pick(sizes),
        luck: 0.8 + 0.4 * random.fraction(),
      });
    }
  }
  return jobs.slice(0, count);
}
