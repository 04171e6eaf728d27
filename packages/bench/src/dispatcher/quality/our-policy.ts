import { Dispatcher, type StepResult } from "@genai/dispatcher";
import { taskOf } from "../fleet.ts";
import type { Given, Policy } from "./policy.ts";
import { type Job, MACHINES, type Machine } from "./workload.ts";

/** Work of size 1, in the dispatcher's units. */
const UNITS = 512 * 512 * 20;

/** Tasks that a model in memory may go before, where warm turns are on. */
const WARM_TURNS_MAX = 8;

/** The dispatcher, all tasks at one ratio. It knows nothing of speeds and loading times beforehand: it learns them as it goes. */
export class OurPolicy implements Policy {
  readonly name: string;
  readonly #ratio: number;
  readonly #dispatcher: Dispatcher;
  readonly #machines = new Map<string, Machine>(MACHINES.map((machine) => [machine.name, machine]));
  readonly #jobs = new Map<string, Job>();
  readonly #users = new Set<string>();

  /** @param warmTurns whether a warm model may go first between users. */
  constructor(ratio: number, warmTurns: boolean) {
    this.name = `ours at ${ratio}`;
    this.#dispatcher = new Dispatcher({ warmTurnsMax: warmTurns ? WARM_TURNS_MAX : 0 });
    this.#ratio = ratio;
    for (const { name, gpu } of MACHINES) {
      const provider = {
        providerId: name,
        legacy: true,
        engine: "comfyUI",
        pipelines: ["standard"],
        models: [],
        warmModel: null,
        gpuType: gpu.name,
        vramBytes: null,
        imageInput: false,
        slots: 1,
        prefetch: 0,
        cost: gpu.cost,
        ready: true,
      } as const;
      this.#dispatcher.step(0, { type: "providerJoined", provider, held: [] });
    }
  }

  arrived(nowMs: number, job: Job): readonly Given[] {
    const plain = taskOf(`t${job.id}`, job.userId);
    this.#jobs.set(plain.taskId, job);
    this.#announce(nowMs, job.userId);
    const task = {
      ...plain,
      timeToMoneyRatio: this.#ratio,
      requirements: { ...plain.requirements, models: [job.model] },
      work: { signature: "standard", units: UNITS * job.size },
    };
    return this.#given(this.#dispatcher.step(nowMs, { type: "submit", task }));
  }

  ended(
    nowMs: number,
    { job, machine }: Given,
    { runMs, loadMs }: { runMs: number; loadMs: number },
  ): readonly Given[] {
    const taskId = `t${job.id}`;
    this.#jobs.delete(taskId);
    const gpuMs = runMs + loadMs;
    const ref = { taskId, attempt: 1, providerId: machine.name };
    return this.#given(
      this.#dispatcher.step(nowMs, { type: "completed", ...ref, gpuMs, loadMs, warmModel: job.model }),
    );
  }

  nextAtMs(): number {
    return this.#dispatcher.nextDeadlineMs() ?? Infinity;
  }

  woken(nowMs: number): readonly Given[] {
    return this.#given(this.#dispatcher.step(nowMs, { type: "tick" }));
  }

  /** No cap on what waits: the trace is played to its end, at ratio 0 too, where most of it waits for the cheapest machines. */
  #announce(nowMs: number, userId: string): void {
    if (this.#users.has(userId)) return;
    this.#users.add(userId);
    const limits = { weight: 1, userClass: 0, queuedMax: 1e9, runningMax: null };
    this.#dispatcher.step(nowMs, { type: "userChanged", userId, limits });
  }

  #given(result: StepResult): Given[] {
    if (!result.ok) throw new Error(result.refusal.message);
    return result.effects.flatMap((effect) => {
      if (effect.type !== "send") return [];
      const job = this.#jobs.get(effect.taskId);
      const machine = this.#machines.get(effect.providerId);
      return job === undefined || machine === undefined ? [] : [{ job, machine }];
    });
  }
}
