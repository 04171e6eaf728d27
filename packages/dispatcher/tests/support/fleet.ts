import {
  Dispatcher,
  type DispatcherEffect,
  type DispatcherInput,
  type DispatcherOptions,
  type Provider,
  type Refusal,
  type Task,
} from "@genai/dispatcher";
import { aProvider, aTask } from "./builders.ts";

/** A dispatcher with its clock, driven a sentence at a time. */
export class Fleet {
  readonly dispatcher: Dispatcher;
  nowMs = 0;
  /** Everything that was asked of the caller so far. */
  readonly effects: DispatcherEffect[] = [];

  constructor(options: Partial<DispatcherOptions> = {}) {
    this.dispatcher = new Dispatcher(options);
  }

  /** Feeds an input that must be accepted, and returns its effects. */
  feed(input: DispatcherInput): readonly DispatcherEffect[] {
    const result = this.dispatcher.step(this.nowMs, input);
    if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
    this.effects.push(...result.effects);
    return result.effects;
  }

  /** Feeds an input that must be refused. */
  refusalOf(input: DispatcherInput): Refusal {
    const result = this.dispatcher.step(this.nowMs, input);
    if (result.ok) throw new Error(`accepted: ${JSON.stringify(result.effects)}`);
    return result.refusal;
  }

  submit(taskId: string, changes: Parameters<typeof aTask>[1] = {}): readonly DispatcherEffect[] {
    return this.feed({ type: "submit", task: aTask(taskId, changes) satisfies Task });
  }

  join(providerId: string, changes: Partial<Provider> = {}): readonly DispatcherEffect[] {
    return this.feed({ type: "providerJoined", provider: aProvider(providerId, changes), held: [] });
  }

  complete(taskId: string, attempt: number, providerId: string): readonly DispatcherEffect[] {
    return this.feed({ type: "completed", taskId, attempt, providerId, gpuMs: null, warmModel: null });
  }

  /** Lets time pass, with a tick at each deadline on the way, and returns what came of it. */
  pass(ms: number): readonly DispatcherEffect[] {
    const untilMs = this.nowMs + ms;
    const start = this.effects.length;
    for (;;) {
      const deadlineMs = this.dispatcher.nextDeadlineMs();
      if (deadlineMs === null || deadlineMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, deadlineMs);
      this.feed({ type: "tick" });
    }
    this.nowMs = untilMs;
    return this.effects.slice(start);
  }
}

/** `task#attempt>provider` of each send among the effects. */
export function sendsOf(effects: readonly DispatcherEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === "send" ? [`${effect.taskId}#${effect.attempt}>${effect.providerId}`] : [],
  );
}

/** How tasks were settled among the effects, by their ids. */
export function settledOf(effects: readonly DispatcherEffect[]): Record<string, unknown> {
  return Object.fromEntries(
    effects.flatMap((effect) => (effect.type === "settled" ? [[effect.taskId, effect.settlement]] : [])),
  );
}
