import type { Given, Policy } from "./policy.ts";
import { type Job, MACHINES, type Machine } from "./workload.ts";

/** What the three have in common: they decide only when something arrives or ends. */
abstract class Simple implements Policy {
  abstract readonly name: string;
  protected readonly idle = new Set<Machine>(MACHINES);
  protected readonly warm = new Map<Machine, string>();

  abstract arrived(nowMs: number, job: Job): readonly Given[];
  protected abstract freed(nowMs: number, machine: Machine): readonly Given[];

  ended(nowMs: number, { machine }: Given): readonly Given[] {
    this.idle.add(machine);
    return this.freed(nowMs, machine);
  }

  nextAtMs(): number {
    return Infinity;
  }

  woken(): readonly Given[] {
    return [];
  }

  protected give(job: Job, machine: Machine): readonly Given[] {
    this.idle.delete(machine);
    this.warm.set(machine, job.model);
    return [{ job, machine }];
  }
}

/** First come, first served, on whichever machine is idle longest. */
export class Fifo extends Simple {
  readonly name = "FIFO";
  readonly #queue: Job[] = [];

  arrived(_nowMs: number, job: Job): readonly Given[] {
    const [machine] = this.idle;
    if (machine !== undefined) return this.give(job, machine);
    this.#queue.push(job);
    return [];
  }

  protected freed(_nowMs: number, machine: Machine): readonly Given[] {
    const job = this.#queue.shift();
    return job === undefined ? [] : this.give(job, machine);
  }
}

/** The same with turns between users: a free machine takes the oldest job of the user who has had the least machine time. What is left
 *  of FIFO's 95th percentile once nobody's burst may block the others. */
export class FifoInTurn extends Simple {
  readonly name = "FIFO in turn";
  readonly #queues = new Map<string, Job[]>();
  /** Work given to each user so far, in sizes on the slowest machine. */
  readonly #served = new Map<string, number>();

  arrived(_nowMs: number, job: Job): readonly Given[] {
    const [machine] = this.idle;
    if (machine !== undefined) return this.#serve(job, machine);
    const queue = this.#queues.get(job.userId) ?? [];
    // Who had nothing waiting starts beside those who have: nobody saves up turns.
    if (queue.length === 0)
      this.#served.set(job.userId, Math.max(this.#servedOf(job.userId), this.#least()?.served ?? 0));
    queue.push(job);
    this.#queues.set(job.userId, queue);
    return [];
  }

  protected freed(_nowMs: number, machine: Machine): readonly Given[] {
    const job = this.#least()?.queue.shift();
    return job === undefined ? [] : this.#serve(job, machine);
  }

  #serve(job: Job, machine: Machine): readonly Given[] {
    this.#served.set(job.userId, this.#servedOf(job.userId) + job.size / machine.gpu.speed);
    return this.give(job, machine);
  }

  #servedOf(userId: string): number {
    return this.#served.get(userId) ?? 0;
  }

  /** Of the users with something waiting the one with the least. */
  #least(): { readonly queue: Job[]; readonly served: number } | null {
    let least: { readonly queue: Job[]; readonly served: number } | null = null;
    for (const [userId, queue] of this.#queues) {
      const served = this.#servedOf(userId);
      if (queue.length > 0 && (least === null || served < least.served)) least = { queue, served };
    }
    return least;
  }
}

/** Each job goes at once into the queue of the machine with the fewest. */
export class FewestRunning extends Simple {
  readonly name = "fewest running";
  readonly #queues = new Map<Machine, Job[]>(MACHINES.map((machine) => [machine, []]));

  arrived(_nowMs: number, job: Job): readonly Given[] {
    let best: readonly [Machine, Job[]] | null = null;
    let fewest = Infinity;
    for (const entry of this.#queues) {
      const running = entry[1].length + Number(!this.idle.has(entry[0]));
      if (running < fewest) [best, fewest] = [entry, running];
    }
    if (best === null) return [];
    const [machine, queue] = best;
    if (this.idle.has(machine)) return this.give(job, machine);
    queue.push(job);
    return [];
  }

  protected freed(_nowMs: number, machine: Machine): readonly Given[] {
    const job = this.#queues.get(machine)?.shift();
    return job === undefined ? [] : this.give(job, machine);
  }
}

/** A free machine takes the model with the greatest pressure: ten for each job that waits, and one for each second of the oldest. */
export class ModelPressure extends Simple {
  readonly name = "model pressure";
  readonly #queues = new Map<string, Job[]>();

  arrived(_nowMs: number, job: Job): readonly Given[] {
    const machine = [...this.idle].find((one) => this.warm.get(one) === job.model) ?? [...this.idle][0];
    if (machine !== undefined) return this.give(job, machine);
    this.#queues.set(job.model, [...(this.#queues.get(job.model) ?? []), job]);
    return [];
  }

  protected freed(nowMs: number, machine: Machine): readonly Given[] {
    const pressure = ([oldest, ...others]: readonly Job[]) =>
      oldest === undefined ? -Infinity : (1 + others.length) * 10 + (nowMs - oldest.atMs) / 1_000;
    let queue: Job[] = [];
    for (const other of this.#queues.values()) if (pressure(other) > pressure(queue)) queue = other;
    const job = queue.shift();
    return job === undefined ? [] : this.give(job, machine);
  }
}
