import {
  type Demand,
  Dispatcher,
  type DispatcherEffect,
  type DispatcherInput,
  type DispatcherOptions,
  type Explanation,
  type ProviderSnapshot,
  type Settlement,
  type UserLimits,
  type WhatIf,
} from "@genai/dispatcher";
import { type Clock, systemClock } from "./clock.ts";
import { completeProvider, completeTask, type EmbeddedProvider, type EmbeddedTask } from "./embedded-task.ts";
import { Declined, RefusedError, TaskError, TaskFault } from "./errors.ts";
import { type DispatchEvents, Listeners } from "./events.ts";
import type { Assignment, Transport } from "./transport.ts";

/** An unsettled promise of a send counts as a sign of life of its provider, so leases are as long as possible and are renewed here. */
const LEASE_MS = 600_000;

interface Pending<Payload, Result> {
  readonly payload: Payload;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  /** Results of attempts, by their numbers. */
  readonly results: Map<number, Result>;
  lastError: unknown;
}

/** The dispatcher for a service that keeps its tasks in memory: runs the core, its timer and its effects over a transport with two methods. Submitted
 *  tasks are lost with the process; services that need more keep a store and feed the core themselves. */
export class EmbeddedDispatcher<Payload, Result> {
  readonly #core: Dispatcher;
  readonly #transport: Transport<Payload, Result>;
  readonly #clock: Clock;
  readonly #listeners = new Listeners();
  readonly #pending = new Map<string, Pending<Payload, Result>>();
  /** Sends that have not settled, by provider. */
  readonly #inFlight = new Map<string, Map<string, Assignment<Payload>>>();
  readonly #effects: DispatcherEffect[] = [];
  #carrying = false;
  #closed = false;
  #heardAtMs = 0;
  #callOff: (() => void) | null = null;

  constructor(options: {
    readonly transport: Transport<Payload, Result>;
    /** Default: the machine's own. */
    readonly clock?: Clock;
    readonly dispatcher?: Partial<Omit<DispatcherOptions, "leaseMs">>;
  }) {
    this.#core = new Dispatcher({ ...options.dispatcher, leaseMs: LEASE_MS });
    this.#transport = options.transport;
    this.#clock = options.clock ?? systemClock;
  }

  /** A provider may be given tasks from now on; one with the same id is replaced. @throws RefusedError */
  addProvider(provider: EmbeddedProvider): void {
    const held = [...(this.#inFlight.get(provider.providerId)?.values() ?? [])];
    this.#feed({
      type: "providerJoined",
      provider: completeProvider(provider),
      held: held.map(({ taskId, attempt }) => ({ taskId, attempt })),
    });
  }

  /** A provider is gone: what it had is aborted and given to others. @throws RefusedError where it is unknown */
  removeProvider(providerId: string): void {
    const held = [...(this.#inFlight.get(providerId)?.values() ?? [])];
    this.#feed({ type: "providerLost", providerId, how: "left" });
    for (const assignment of held) this.#transport.abort(assignment, "lost");
  }

  /** A draining provider finishes what it has and is given no more. @throws RefusedError where it is unknown */
  drain(providerId: string, draining = true): void {
    this.#feed({ type: draining ? "drain" : "undrain", providerId });
  }

  /** Sets a user's limits. Only a bounded number of users without tasks is remembered (`idleUsersMax`); with more users than that, set them before each
   *  submit. @throws RefusedError */
  setLimits(userId: string, limits: UserLimits): void {
    this.#feed({ type: "userChanged", userId, limits });
  }

  /** Resolves with the result of the task. Rejects with a RefusedError if the task was not accepted, and with a TaskError if it did not succeed. */
  submit(task: EmbeddedTask<Payload>): Promise<Result> {
    const { taskId, payload } = task;
    return new Promise<Result>((resolve, reject) => {
      if (this.#closed) throw new TaskError(taskId, "closed", undefined);
      const pending = { payload, resolve, reject, results: new Map<number, Result>(), lastError: undefined };
      const known = this.#pending.get(taskId);
      this.#pending.set(taskId, known ?? pending);
      try {
        this.#feed({ type: "submit", task: completeTask(task) });
      } catch (error) {
        if (known === undefined) this.#pending.delete(taskId);
        throw error;
      }
    });
  }

  /** False where there is no such unsettled task. */
  cancel(taskId: string): boolean {
    if (!this.#pending.has(taskId)) return false;
    this.#feed({ type: "cancel", taskId });
    return true;
  }

  /** Adds a listener for events of a name. Returns the function that removes it. Listeners must not throw. */
  on<Name extends keyof DispatchEvents>(name: Name, listener: (event: DispatchEvents[Name]) => void): () => void {
    return this.#listeners.add(name, listener);
  }

  /** Why a task is where it is; null for one that is not here. */
  explain(taskId: string): Explanation | null {
    return this.#core.explain(taskId);
  }

  /** What would happen to a task if it were submitted now. */
  whatIf(task: EmbeddedTask<Payload>): WhatIf {
    return this.#core.whatIf(completeTask(task));
  }

  demand(): Demand {
    return this.#core.demand();
  }

  provider(providerId: string): ProviderSnapshot | null {
    return this.#core.provider(providerId);
  }

  /** Aborts what runs, and rejects every unsettled task with the code `closed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#callOff?.();
    for (const held of this.#inFlight.values()) {
      for (const assignment of held.values()) this.#transport.abort(assignment, "withdrawn");
    }
    for (const [taskId, { reject, lastError }] of this.#pending) reject(new TaskError(taskId, "closed", lastError));
    this.#pending.clear();
  }

  #feed(input: DispatcherInput): void {
    const result = this.#core.step(this.#clock.nowMs(), input);
    if (!result.ok) throw new RefusedError(result.refusal);
    this.#effects.push(...result.effects);
    this.#carryOut();
    this.#arm();
  }

  /** Feeds a provider's answer. One that comes too late is refused, which is fine. */
  #hear(input: DispatcherInput): void {
    if (this.#closed) return;
    const result = this.#core.step(this.#clock.nowMs(), input);
    if (!result.ok) return;
    this.#effects.push(...result.effects);
    this.#carryOut();
    this.#arm();
  }

  /** Carries out effects in order, even if carrying out one leads to another input. */
  #carryOut(): void {
    if (this.#carrying) return;
    this.#carrying = true;
    try {
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) this.#do(effect);
    } finally {
      this.#carrying = false;
    }
  }

  #do(effect: DispatcherEffect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect);
        break;
      case "abort": {
        const assignment = this.#inFlight.get(effect.providerId)?.get(nameOf(effect));
        if (assignment !== undefined) this.#transport.abort(assignment, effect.reason);
        break;
      }
      case "requeued":
        this.#listeners.tell("requeued", { taskId: effect.taskId, reason: effect.reason });
        break;
      case "settled":
        this.#settle(effect.taskId, effect.settlement);
        break;
      case "attemptChanged":
      case "verdict":
      case "disconnect":
        break;
    }
  }

  #send({ taskId, attempt, providerId, cost, limitMs }: Extract<DispatcherEffect, { type: "send" }>): void {
    const pending = this.#pending.get(taskId);
    if (pending === undefined) return;
    const ref = { taskId, attempt, providerId };
    const progress = (value: number) => {
      this.#hear({ type: "progressed", ...ref, value });
      this.#listeners.tell("progress", { taskId, attempt, value });
    };
    const assignment = { ...ref, payload: pending.payload, cost, limitMs, progress };
    const held = this.#inFlight.get(providerId) ?? new Map<string, Assignment<Payload>>();
    this.#inFlight.set(providerId, held.set(nameOf(ref), assignment));
    this.#listeners.tell("sent", { ...ref, cost });
    this.#hear({ type: "sent", ...ref });
    this.#run(assignment, pending);
  }

  /** Waits for one attempt. Any outcome frees its slot. */
  #run(assignment: Assignment<Payload>, pending: Pending<Payload, Result>): void {
    const { taskId, attempt, providerId } = assignment;
    const ref = { taskId, attempt, providerId };
    const landed = () => {
      const held = this.#inFlight.get(providerId);
      held?.delete(nameOf(ref));
      if (held?.size === 0) this.#inFlight.delete(providerId);
    };
    // Async, so that what the transport throws at once is a rejection too.
    const send = async () => this.#transport.send(assignment);
    void send().then(
      (result) => {
        landed();
        pending.results.set(attempt, result);
        this.#hear({ type: "completed", ...ref, gpuMs: null, warmModel: null });
      },
      (error: unknown) => {
        landed();
        pending.lastError = error;
        if (error instanceof Declined) this.#hear({ type: "rejected", ...ref, reason: error.message });
        else
          this.#hear({ type: "failed", ...ref, fault: error instanceof TaskFault ? "task" : "node", code: "thrown" });
      },
    );
  }

  #settle(taskId: string, settlement: Settlement): void {
    const pending = this.#pending.get(taskId);
    if (pending === undefined) return;
    this.#pending.delete(taskId);
    const code = settlement.state === "failed" ? settlement.code : null;
    this.#listeners.tell("settled", { taskId, state: settlement.state, code });
    if (settlement.state !== "succeeded") {
      pending.reject(new TaskError(taskId, code ?? "canceled", pending.lastError));
      return;
    }
    for (const [attempt, result] of pending.results) if (attempt === settlement.attempt) pending.resolve(result);
  }

  #arm(): void {
    this.#callOff?.();
    this.#callOff = null;
    const deadlineMs = this.#closed ? null : this.#core.nextDeadlineMs();
    if (deadlineMs === null) return;
    this.#callOff = this.#clock.runAt(deadlineMs, () => {
      this.#callOff = null;
      this.#renewLeases();
      this.#hear({ type: "tick" });
    });
  }

  /** Providers with an open send are alive, as far as their transport knows. */
  #renewLeases(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#heardAtMs < LEASE_MS / 4) return;
    this.#heardAtMs = nowMs;
    for (const providerId of [...this.#inFlight.keys()]) this.#hear({ type: "providerHeard", providerId });
  }
}

function nameOf({ taskId, attempt }: { readonly taskId: string; readonly attempt: number }): string {
  return `${attempt}#${taskId}`;
}
