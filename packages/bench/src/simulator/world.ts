import type { DispatcherEffect, DispatcherInput, OpenAttempt, Task } from "@genai/dispatcher";
import { CHECKED_OPTIONS, type CheckedDispatcher } from "./checked-dispatcher.ts";
import { EventQueue } from "./event-queue.ts";
import { drawHostileInput } from "./hostile-inputs.ts";
import type { LedgerTask } from "./ledger.ts";
import { type NodeWorld, relativeWork, SimulatedNode } from "./node.ts";
import { optionsOf, type Profile } from "./profile.ts";
import type { Random } from "./random.ts";
import { drawTask } from "./tasks.ts";

/** A calm user has this many tasks waiting at the least, and is given the next where it has fewer. */
const CALM_BACKLOG = 6;
/** More than this many unsettled tasks are not submitted, so that a step stays cheap. */
const UNSETTLED_MAX = 80;
/** Of a millisecond. */
const NANOSECONDS = 1_000_000;

/** A fleet, its users and the caller between them and the dispatcher, on a virtual clock. All chance comes from one stream, the clock's
 *  fractions of a millisecond from another. */
export class World implements NodeWorld {
  readonly random: Random;
  readonly profile: Profile;
  readonly #checked: CheckedDispatcher;
  readonly #fractions: Random;
  readonly #queue = new EventQueue();
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #taskIds: string[] = [];
  #timeMs = 0;
  /** The clock stands still until then. */
  #standsUntilMs = 0;
  #stoodAtMs = 0;
  #tasks = 0;

  constructor(
    checked: CheckedDispatcher,
    { random, fractions }: { readonly random: Random; readonly fractions: Random },
    profile: Profile,
  ) {
    this.#checked = checked;
    this.#fractions = fractions;
    this.random = random;
    this.profile = profile;
  }

  /** Lives until so many inputs were fed, or a promise was broken. */
  live(stepsMax: number): void {
    for (let i = 1; i <= this.profile.nodes; i++) {
      const node = new SimulatedNode(this, `p${i}`);
      this.#nodes.set(node.offer.providerId, node);
      this.after(this.profile.calm === null ? this.random.integer(0, 5_000) : 1, () => node.join());
    }
    if (this.profile.calm !== null) this.#keepBusy();
    else {
      this.#arrive();
      this.#trouble();
    }
    while (this.#checked.steps < stepsMax && this.#checked.violation === null) this.#next();
  }

  after(ms: number, run: () => void): void {
    // Less some nanoseconds, which real clocks count, so that nothing takes longer than was promised.
    const fraction = this.profile.fractions && ms >= 1 ? this.#fractions.integer(0, NANOSECONDS - 1) / NANOSECONDS : 0;
    this.#queue.add(this.#timeMs + ms - fraction, run);
  }

  workOf(taskId: string): number {
    return relativeWork(this.#checked.ledger.tasks.get(taskId)?.task.work.units ?? 0);
  }

  feed(input: DispatcherInput): void {
    const { random, profile } = this;
    if (profile.clockFaults > 0 && random.chance(profile.clockFaults)) this.#upsetClock();
    const result = this.#checked.feed(this.#clockMs(), input);
    if (result?.ok) for (const effect of result.effects) this.#carryOut(effect);
    if (profile.calm !== null) this.#keepBusy();
  }

  #next(): void {
    const deadlineMs = this.#checked.dispatcher.nextDeadlineMs() ?? Infinity;
    if (deadlineMs < this.#queue.nextAtMs) {
      // A timer is late at times; while the clock stands it comes for nothing.
      const lateMs = this.random.chance(0.1) ? this.random.around(50) : 0;
      const before = this.#timeMs;
      this.#timeMs = Math.max(before + Number(this.#standsUntilMs > before) * 500, deadlineMs + lateMs);
      this.feed({ type: "tick" });
      return;
    }
    this.#timeMs = Math.max(this.#timeMs, this.#queue.nextAtMs);
    const run = this.#queue.take();
    if (run === undefined) this.#checked.violated("liveness", "nothing will ever happen again");
    else run();
  }

  #clockMs(): number {
    if (this.#standsUntilMs > this.#timeMs) return this.#stoodAtMs;
    return this.#timeMs;
  }

  #upsetClock(): void {
    const { random } = this;
    random.pick<() => void>([
      () => {
        this.#stoodAtMs = this.#clockMs();
        this.#standsUntilMs = this.#timeMs + random.integer(1, 20_000);
      },
      () => {
        this.#stoodAtMs = this.#timeMs - random.integer(1, 100_000);
        this.#standsUntilMs = this.#timeMs + 1;
      },
      () => {
        this.#timeMs += random.pick([1_000, 31_000, 700_000, 7_200_000]);
        if (random.chance(0.5))
          this.#checked.feed(this.#clockMs(), { type: "amnesty", forMs: CHECKED_OPTIONS.leaseMs });
      },
    ])();
  }

  /** What a caller does with an effect: it stores, then sends. */
  #carryOut(effect: DispatcherEffect): void {
    const { random, profile } = this;
    if (effect.type === "send") {
      const { taskId, attempt, providerId } = effect;
      const ref = { taskId, attempt, providerId };
      if (random.chance(profile.rejects / 4)) {
        this.after(1, () => this.feed({ type: "rejected", ...ref, reason: "unsent" }));
        return;
      }
      // A commit takes a moment, and at times so long that the provider answers first.
      const storeMs = random.chance(0.05) ? random.around(3_000) : random.integer(0, 5);
      this.after(profile.calm === null ? storeMs : 0, () => this.feed({ type: "sent", ...ref }));
      this.#nodes.get(providerId)?.receive(ref);
    } else if (effect.type === "abort") {
      const node = this.#nodes.get(effect.providerId);
      this.after(20, () => node?.abort(effect));
    } else if (effect.type === "disconnect") {
      const node = this.#nodes.get(effect.providerId);
      this.after(random.integer(0, 10), () => node?.lose("broken"));
      this.after(random.around(5_000), () => node !== undefined && !node.connected && node.join());
    }
  }

  #submit(userId: string): void {
    const taskId = `t${++this.#tasks}`;
    this.#taskIds.push(taskId);
    this.feed({ type: "submit", task: drawTask(this.random, this.profile, taskId, userId) });
  }

  /** Gives every user of a calm run what it has to have waiting. */
  #keepBusy(): void {
    const { tasks } = this.#checked.ledger;
    for (let i = 1; i <= this.profile.users; i++) {
      const userId = `u${i}`;
      let waiting = 0;
      for (const entry of tasks.values()) if (entry.task.userId === userId && entry.open.length === 0) waiting += 1;
      if (waiting >= CALM_BACKLOG || this.#checked.violation !== null) continue;
      this.#submit(userId);
      return;
    }
  }

  #arrive(): void {
    const { random, profile } = this;
    const many = random.chance(0.2) ? random.integer(1, profile.burst) : 1;
    const userId = `u${random.integer(1, profile.users)}`;
    for (let i = 0; i < many; i++) if (this.#checked.ledger.tasks.size < UNSETTLED_MAX) this.#submit(userId);
    this.#meddle();
    this.after(random.around(profile.arrivalMs), () => this.#arrive());
  }

  /** What users, administrators and strangers do beside submitting. */
  #meddle(): void {
    const { random, profile } = this;
    const taskId = random.pickAny(this.#taskIds.slice(-30));
    const node = random.pickAny([...this.#nodes.values()]);
    if (taskId === undefined || node === undefined) return;
    if (random.chance(0.05)) this.feed({ type: "cancel", taskId });
    if (random.chance(0.01)) this.feed({ type: "withdraw", taskId });
    if (random.chance(profile.lies)) {
      const open = random.pickAny([...this.#checked.ledger.tasks.values()].flatMap((entry) => entry.open));
      node.lie(open !== undefined && random.chance(0.5) ? open : { taskId, attempt: random.integer(1, 3) });
    }
    if (random.chance(0.03)) {
      const limits = {
        weight: random.pick([1, 1, 2, 0.5]),
        userClass: random.pick([0, 0, 1]),
        queuedMax: random.pick([3, 1_000]),
        runningMax: random.pick([null, null, 1, 2]),
      };
      this.feed({ type: "userChanged", userId: `u${random.integer(1, profile.users)}`, limits });
    }
    if (random.chance(profile.hostile)) {
      const task = [...this.#checked.ledger.tasks.values()][0]?.task;
      if (task !== undefined) this.feed(drawHostileInput(random, task, node.offer));
    }
    if (random.chance(profile.restarts)) this.#restart();
  }

  #trouble(): void {
    const { random, profile } = this;
    this.after(random.around(profile.faultMs), () => {
      random.pickAny([...this.#nodes.values()])?.suffer();
      this.#trouble();
    });
  }

  /** The caller's process ends and starts again: it hands over what its store knows, and the nodes come back by and by. */
  #restart(): void {
    const { random } = this;
    const unsettled = [...this.#checked.ledger.tasks.values()];
    const clockMs = Math.max(this.#clockMs(), this.#checked.ledger.nowMs);
    const tasks = unsettled.flatMap((entry) => this.#remembered(entry, clockMs));
    this.#checked.start(optionsOf(this.profile));
    this.feed({ type: "amnesty", forMs: CHECKED_OPTIONS.leaseMs });
    for (const task of tasks) this.feed({ type: "submit", task });
    for (const node of this.#nodes.values()) {
      node.connected = false;
      this.after(random.around(2_000), () => node.connected || node.join());
    }
  }

  /** A task as the store has it. Attempts of legacy nodes ended with the connection. */
  #remembered(entry: LedgerTask, clockMs: number): Task[] {
    const { task, submittedAtMs, failed, faults, retryAtMs, lastAttempt } = entry;
    const open = entry.open.filter(({ providerId }) => this.#nodes.get(providerId)?.offer.legacy === false);
    const losses = entry.losses + entry.open.length - open.length;
    const { expiresInMs, ageMs } = task;
    if (open.length === 0 && (faults >= task.maxAttempts || losses >= CHECKED_OPTIONS.lossesMax)) return [];
    const leftMs = expiresInMs === null ? null : submittedAtMs + ageMs + expiresInMs - clockMs;
    const stored = open.map(
      ({ attempt, providerId, cost, limitAtMs }): OpenAttempt => ({
        attempt,
        providerId,
        state: "sent",
        cost,
        limitLeftMs: limitAtMs - clockMs,
      }),
    );
    const history = {
      lastAttempt,
      faults,
      losses,
      failedProviderIds: [...failed],
      open: stored,
      handedBack: lastAttempt > 0,
      retryInMs: Math.max(0, retryAtMs - clockMs),
    };
    return [{ ...task, ageMs: Math.max(0, clockMs - submittedAtMs), expiresInMs: leftMs, history }];
  }
}
