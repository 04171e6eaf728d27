import {
  Dispatcher,
  type DispatcherEffect,
  type DispatcherInput,
  type DispatcherOptions,
  type StepResult,
} from "@genai/dispatcher";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { DeadlineTimer } from "./deadline-timer.ts";

/** Without an input for this long the loop stood still (a paused machine, a debugger) and nobody could renew a lease. */
const GAP_MS = 15_000;

/** Where everything is noted that is done to the dispatcher, to be replayed. */
export interface DispatcherTrace {
  started(options: Partial<DispatcherOptions>): void;
  /** Before the dispatcher hears it, so that an input that ends the process is there too. */
  heard(nowMs: number, input: DispatcherInput): void;
  answered(result: StepResult): void;
}

/** Steps inputs through the dispatcher with the time, keeps its timer, and forgives silence that was our own. */
export class DispatcherLoop {
  readonly dispatcher: Dispatcher;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  readonly #trace: DispatcherTrace | undefined;
  readonly #carryOut: (effects: readonly DispatcherEffect[]) => void;
  readonly #deadline: DeadlineTimer;
  #lastStepMs: number;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly leaseMs: number;
    readonly warmTurnsMax: number;
    readonly trace: DispatcherTrace | undefined;
    readonly carryOut: (effects: readonly DispatcherEffect[]) => void;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#leaseMs = options.leaseMs;
    this.#trace = options.trace;
    this.#carryOut = options.carryOut;
    const dispatcherOptions = { leaseMs: options.leaseMs, warmTurnsMax: options.warmTurnsMax };
    options.trace?.started(dispatcherOptions);
    this.dispatcher = new Dispatcher(dispatcherOptions);
    this.#lastStepMs = options.clock.monotonicMs();
    this.#deadline = new DeadlineTimer(options.clock, () => this.feed({ type: "tick" }));
  }

  /** Steps an input and carries out what the dispatcher decides. */
  feed(input: DispatcherInput): StepResult {
    const result = this.step(input);
    if (result.ok) this.carryOut(result.effects);
    return result;
  }

  /** Steps an input; its effects are the caller's to carry out, by {@link carryOut}, before anything else is stepped. */
  step(input: DispatcherInput): StepResult {
    const nowMs = this.#clock.monotonicMs();
    const gapMs = nowMs - this.#lastStepMs;
    this.#lastStepMs = nowMs;
    if (gapMs > GAP_MS) {
      this.#logger.warn({ gapMs: Math.round(gapMs) }, "the loop stood still; nothing is taken for lost for a while");
      const forgiven = this.#hear(nowMs, { type: "amnesty", forMs: this.#leaseMs });
      if (forgiven.ok) this.#carryOut(forgiven.effects);
    }
    return this.#hear(nowMs, input);
  }

  carryOut(effects: readonly DispatcherEffect[]): void {
    if (effects.length > 0) this.#carryOut(effects);
    this.#deadline.arm(this.dispatcher.nextDeadlineMs());
  }

  /** The store was away: what its outage kept us from renewing is forgiven. */
  forgive(gapMs: number): void {
    if (gapMs > GAP_MS) this.feed({ type: "amnesty", forMs: this.#leaseMs });
  }

  close(): void {
    this.#deadline.close();
  }

  #hear(nowMs: number, input: DispatcherInput): StepResult {
    this.#trace?.heard(nowMs, input);
    const result = this.dispatcher.step(nowMs, input);
    this.#trace?.answered(result);
    return result;
  }
}
