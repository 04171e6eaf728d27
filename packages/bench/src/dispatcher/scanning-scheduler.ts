import { normalizeModel, type Provider, type Task } from "@genai/dispatcher";

interface Scanned {
  readonly provider: Provider;
  warm: string;
  freeAtMs: number;
  running: string | null;
}

/** What one would write first: it looks at every provider for every task. Cheapest by the same score, without users, holds or leases. */
export class ScanningScheduler {
  readonly #providers: Scanned[] = [];
  readonly #queue: Task[] = [];
  nowMs = 0;

  join(provider: Provider): void {
    this.#providers.push({ provider, warm: provider.warmModel ?? "", freeAtMs: 0, running: null });
  }

  /** Who gets it, or null where it waits. */
  submit(task: Task): Scanned | null {
    const model = normalizeModel(task.requirements.models[0] ?? "");
    const best = this.#providers
      .filter(({ provider, running }) => running === null && provider.ready && provider.cost <= task.maxCost)
      .filter(({ provider }) => provider.pipelines.includes(task.requirements.pipeline))
      .filter(({ provider }) => provider.models.some((offered) => normalizeModel(offered) === model))
      .map((one) => ({ one, score: one.provider.cost + task.timeToMoneyRatio * (10 + (one.warm === model ? 0 : 10)) }))
      .sort((a, b) => a.score - b.score)[0]?.one;
    if (best === undefined) {
      this.#queue.push(task);
      return null;
    }
    best.running = task.taskId;
    best.warm = model;
    best.freeAtMs = this.nowMs + 10_000;
    return best;
  }

  /** Who gets the slot next is who waits longest. */
  complete(one: Scanned): Scanned | null {
    one.running = null;
    const next = this.#queue.shift();
    return next === undefined ? null : this.submit(next);
  }
}
