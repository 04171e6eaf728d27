import type { Dispatcher, DispatcherEffect, DispatcherInput, DispatcherOptions, StepResult } from "@genai/dispatcher";
import { faultyDispatcher, type PlantedFault } from "@genai/dispatcher/testing";
import { Eligibility } from "./eligibility.ts";
import { Ledger, type LedgerTask } from "./ledger.ts";
import { wrongCharge } from "./rules/charges.ts";
import { type CalmFacts, FairnessWatch } from "./rules/fairness.ts";
import { wrongTrade } from "./rules/monotony.ts";
import { wrongNumber } from "./rules/numbers.ts";
import { type Turn, turnOf, wrongOrder } from "./rules/order.ts";
import { expectationOf, wrongRequeue, wrongResult, wrongSettlement } from "./rules/results.ts";
import { wrongSend } from "./rules/sends.ts";
import { wrongHolds, wrongOccupancy, wrongTaskState } from "./rules/states.ts";
import { wrongWait } from "./rules/waiting.ts";
import type { TraceItem } from "./trace.ts";
import type { Violation } from "./violation.ts";

/** The options that the rules have to know. */
export const CHECKED_OPTIONS = {
  leaseMs: 30_000,
  graceMs: 3_000,
  rejectSkipMs: 30_000,
  abortSettleMs: 5_000,
  lossesMax: 10,
  creditMs: 600_000,
  warmTurnsMax: 0,
} as const;

/** How many tasks that nothing touched are looked at after an input, going round. */
const TASKS_A_STEP = 24;
/** How often the whole state is read and compared, and how often the refusal of an input is checked to have changed nothing. */
const INSPECT_EVERY = 16;
const UNTOUCHED_EVERY = 7;
const TRADE_EVERY = 9;

/** A dispatcher whose promises are checked after every input. It stops at the first that is broken. */
export class CheckedDispatcher {
  readonly #planted: readonly PlantedFault[];
  #calm: CalmFacts | null;
  readonly trace: TraceItem[] = [];
  dispatcher: Dispatcher;
  ledger: Ledger;
  violation: Violation | null = null;
  steps = 0;
  readonly counts = { sent: 0, settled: 0, refused: 0 };
  #fairness: FairnessWatch | null = null;
  #round = 0;

  constructor(planted: readonly PlantedFault[], calm: CalmFacts | null, options: Partial<DispatcherOptions> = {}) {
    this.#planted = planted;
    this.#calm = calm;
    this.dispatcher = faultyDispatcher(planted, CHECKED_OPTIONS);
    this.ledger = new Ledger(CHECKED_OPTIONS, []);
    this.start(options);
  }

  /** A new dispatcher in place of the old one, as after a restart of its caller. */
  start(options: Partial<DispatcherOptions>): void {
    this.trace.push({ options });
    const complete = { ...CHECKED_OPTIONS, ...options };
    this.dispatcher = faultyDispatcher(this.#planted, complete);
    this.ledger = new Ledger(complete, this.ledger.settled);
    this.#fairness =
      this.#calm === null ? null : new FairnessWatch(this.#calm, complete.warmTurnsMax > 0 ? this.dispatcher : null);
  }

  /** The fleet changes from here on: nothing of what holds of a calm run is promised any longer. */
  endCalm(): void {
    this.#calm = null;
    this.#fairness = null;
  }

  /** Feeds an input and checks what comes of it. Null after a violation. */
  feed(nowMs: number, input: DispatcherInput): StepResult | null {
    if (this.violation !== null) return null;
    this.steps += 1;
    this.trace.push({ nowMs, input });
    const before = this.steps % UNTOUCHED_EVERY === 0 ? this.dispatcher.inspect() : null;
    const expected = expectationOf(this.ledger, input);
    let result: StepResult;
    try {
      result = this.dispatcher.step(nowMs, input);
    } catch (error) {
      this.#violated("crash", String(error instanceof Error ? error.stack : error));
      return null;
    }
    this.#violated("result", wrongResult(expected, result));
    if (result.ok) this.#check(nowMs, input, result.effects);
    else {
      this.counts.refused += 1;
      if (before !== null && JSON.stringify(before) !== JSON.stringify(this.dispatcher.inspect())) {
        this.#violated("refusal", `${input.type} was refused (${result.refusal.message}) but changed the state`);
      }
    }
    return this.violation === null ? result : null;
  }

  #check(nowMs: number, input: DispatcherInput, effects: readonly DispatcherEffect[]): void {
    const { ledger, dispatcher } = this;
    ledger.hear(nowMs, input);
    if (input.type === "submit") this.#fairness?.submitted(input.task.taskId, input.task.userId, ledger.nowMs);
    const eligibility = new Eligibility(ledger, dispatcher);
    const turns: (Turn | null)[] = [];
    for (const effect of effects) {
      this.#violated("number", wrongNumber(effect));
      if (effect.type === "send") {
        this.counts.sent += 1;
        turns.push(turnOf(ledger, effect));
        this.#violated("send", wrongSend(ledger, eligibility, effect));
      } else if (effect.type === "settled") {
        this.counts.settled += 1;
        this.#violated("settlement", wrongSettlement(ledger, input, effect, CHECKED_OPTIONS));
      } else if (effect.type === "requeued") {
        this.#violated("budget", wrongRequeue(ledger, effect, CHECKED_OPTIONS));
      }
      this.#violated("fairness", this.#fairness?.note(ledger, effect) ?? null);
      ledger.note(effect);
      if (this.violation !== null) return;
    }
    for (const { taskId, attempt } of ledger.close()) {
      this.#violated("settlement", `task ${taskId} is over but its attempt ${attempt} goes on`);
    }
    this.#checkState(eligibility);
    // Where one step gives several slots away, who declined which can't be told from outside.
    const [turn, second] = turns;
    if (turn != null && second === undefined) {
      const before = this.#before();
      this.#violated("order", wrongOrder(ledger, dispatcher, eligibility, turn, before));
    }
  }

  /** The dispatcher as it was before the last input, by everything that was done to it once more; made when it is first asked for. */
  #before(): () => Dispatcher {
    let made: Dispatcher | null = null;
    return () => {
      if (made !== null) return made;
      const start = this.trace.findLastIndex((item) => "options" in item);
      const [first, ...inputs] = this.trace.slice(start, -1);
      const options = first !== undefined && "options" in first ? first.options : {};
      made = faultyDispatcher(this.#planted, { ...CHECKED_OPTIONS, ...options });
      for (const item of inputs) if ("input" in item) made.step(item.nowMs, item.input);
      return made;
    };
  }

  #checkState(eligibility: Eligibility): void {
    const { ledger, dispatcher } = this;
    this.#violated("slot", wrongOccupancy(ledger, eligibility));
    const free = [...ledger.providers.values()].filter((provider) => eligibility.freeSlots(provider) > 0);
    for (const entry of this.#tasksToLookAt()) {
      this.#violated("state", wrongTaskState(ledger, dispatcher, entry, CHECKED_OPTIONS));
      const isAtWork = entry.open.some((attempt) => attempt.lostAtMs === null);
      if (free.length > 0 && !isAtWork) {
        this.#violated("wait", wrongWait(ledger, dispatcher, eligibility, entry, free));
      }
      if (this.violation !== null) return;
    }
    if (this.steps % INSPECT_EVERY === 0) {
      const inspection = dispatcher.inspect();
      this.#violated("charge", wrongCharge(ledger, inspection));
      this.#violated("hold", wrongHolds(dispatcher, inspection));
    }
    const [first] = ledger.tasks.values();
    if (this.steps % TRADE_EVERY === 0 && first !== undefined) {
      const lower = [0, 0.001, 0.1, 1][this.steps % 4] ?? 0;
      this.#violated("trade", wrongTrade(dispatcher, first.task, lower, lower * 3 + 0.01));
    }
  }

  /** Those that the step touched, and some of the others, all in their turn. */
  *#tasksToLookAt(): Generator<LedgerTask> {
    const { tasks, touched } = this.ledger;
    for (const taskId of touched) {
      const entry = tasks.get(taskId);
      if (entry !== undefined) yield entry;
    }
    if (tasks.size <= TASKS_A_STEP) {
      yield* tasks.values();
      return;
    }
    this.#round = (this.#round + TASKS_A_STEP) % tasks.size;
    let place = 0;
    for (const entry of tasks.values()) {
      const distance = (place - this.#round + tasks.size) % tasks.size;
      place += 1;
      if (distance < TASKS_A_STEP) yield entry;
    }
  }

  /** Liveness and other things that no single input shows. */
  violated(rule: Violation["rule"], message: string): void {
    this.#violated(rule, message);
  }

  #violated(rule: Violation["rule"], message: string | null): void {
    if (message !== null) this.violation ??= { rule, step: this.steps, message };
  }
}
