import { Dispatcher, type Provider, type Task } from "@genai/dispatcher";

/** GPU types of the fleets that decisions are timed on: as many kinds of provider. */
const KINDS = 20;

const OFFER: Omit<Provider, "providerId" | "cost" | "gpuType"> = {
  legacy: true,
  engine: "comfyUI",
  pipelines: ["standard", "comfy"],
  models: ["sdxl", "flux", "sd15"],
  warmModel: "sdxl",
  vramBytes: 24e9,
  imageInput: false,
  slots: 1,
  prefetch: 0,
  ready: true,
};

/** Prices: a few, as in a fleet of like machines, or each provider's own. */
export type Prices = "few" | "own";

export function offerOf(n: number, prices: Prices): Provider {
  const kind = prices === "own" ? 0 : n % KINDS;
  return {
    ...OFFER,
    providerId: `p${n}`,
    gpuType: `gpu-${kind}`,
    cost: prices === "own" ? 1 + n / 1e6 : 1 + (kind % 5),
  };
}

export function taskOf(taskId: string, userId: string, units = 1e7): Task {
  return {
    taskId,
    userId,
    priority: 0,
    maxCost: 100,
    timeToMoneyRatio: 0.01,
    requirements: {
      pipeline: "standard",
      engine: null,
      models: ["sdxl"],
      gpuType: null,
      vramBytesMin: null,
      imageInput: "none",
      modelIsWishOnLegacy: false,
    },
    work: { signature: "standard", units },
    limitMs: 3_600_000,
    ageMs: 0,
    expiresInMs: null,
    maxAttempts: 5,
  };
}

/** Runs cycles on a dispatcher: a task is submitted, something is assigned, and what was assigned is completed. */
export class Cycles {
  readonly dispatcher = new Dispatcher();
  #tasks = 0;
  #nowMs = 0;
  #free: { readonly taskId: string; readonly attempt: number; readonly providerId: string } | null = null;
  readonly #users: number;

  /** @param waiting tasks that no slot is free for, from the beginning to the end. */
  constructor(fleet: {
    readonly providers: number;
    readonly prices: Prices;
    readonly waiting: number;
    readonly users: number;
  }) {
    this.#users = fleet.users;
    for (let n = 0; n < fleet.providers; n++) {
      this.dispatcher.step(0, { type: "providerJoined", provider: offerOf(n, fleet.prices), held: [] });
    }
    // Those that are busy are so for long, so that nobody waits for them.
    for (let n = 1; n < fleet.providers; n++) this.#submit(1e12);
    for (let n = 0; n < fleet.waiting + 1; n++) this.#submit();
    if (fleet.waiting === 0) this.#complete();
  }

  /** Microseconds of processor time for each of so many cycles. */
  measure(cycles: number): number {
    const start = process.cpuUsage();
    for (let i = 0; i < cycles; i++) this.cycle();
    return process.cpuUsage(start).user / cycles;
  }

  cycle(): void {
    this.#submit();
    this.#complete();
  }

  #submit(units?: number): void {
    this.#tasks += 1;
    const task = taskOf(`t${this.#tasks}`, `u${this.#tasks % this.#users}`, units);
    const result = this.dispatcher.step(this.#nowMs++, { type: "submit", task });
    if (!result.ok) throw new Error(result.refusal.message);
    this.#note(result.effects);
  }

  #complete(): void {
    if (this.#free === null) throw new Error("Nothing was assigned.");
    const result = this.dispatcher.step(this.#nowMs++, {
      type: "completed",
      ...this.#free,
      gpuMs: 10_000,
      warmModel: "sdxl",
    });
    if (!result.ok) throw new Error(result.refusal.message);
    this.#note(result.effects);
  }

  #note(effects: readonly { readonly type: string }[]): void {
    for (const effect of effects)
      if (isSend(effect))
        this.#free = { taskId: effect.taskId, attempt: effect.attempt, providerId: effect.providerId };
  }
}

type Send = { readonly type: "send"; readonly taskId: string; readonly attempt: number; readonly providerId: string };

function isSend(effect: { readonly type: string }): effect is Send {
  return effect.type === "send";
}
