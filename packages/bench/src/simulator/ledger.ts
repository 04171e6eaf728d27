import type {
  AttemptRef,
  DispatcherEffect,
  DispatcherInput,
  DispatcherOptions,
  Fault,
  Provider,
  Task,
  UserLimits,
} from "@genai/dispatcher";

/** An attempt as the inputs and effects tell of it. */
export interface LedgerAttempt {
  readonly taskId: string;
  readonly attempt: number;
  readonly providerId: string;
  readonly limitAtMs: number;
  readonly cost: number;
  /** What its user is charged with for it now. */
  chargedMs: number;
  open: boolean;
  /** Since when it is lost; null while it is not. */
  lostAtMs: number | null;
  /** It was open when this core was made, and its provider has not come back yet. */
  restored: boolean;
  /** Closed, but its slot counts as taken until then at the latest; −Infinity for not. */
  sitsUntilMs: number;
}

/** An unsettled task as the inputs and effects tell of it. */
export interface LedgerTask {
  readonly task: Task;
  readonly submittedAtMs: number;
  readonly failed: Set<string>;
  readonly skippedUntilMs: Map<string, number>;
  readonly open: LedgerAttempt[];
  faults: number;
  losses: number;
  lastAttempt: number;
  retryAtMs: number;
  over: boolean;
}

export interface LedgerProvider {
  readonly providerId: string;
  offer: Provider;
  online: boolean;
  draining: boolean;
  /** Attempts that are open, and closed ones that may still sit on its slots. */
  readonly attempts: Set<LedgerAttempt>;
}

export interface LedgerUser {
  limits: UserLimits;
  /** Service tag: milliseconds charged by weight. */
  tag: number;
  tasks: number;
  /** Milliseconds of closed attempts and of open ones so far, by what is charged. */
  chargedMs: number;
  measuredMs: number;
}

type LedgerOptions = Pick<DispatcherOptions, "abortSettleMs" | "rejectSkipMs" | "creditMs" | "warmTurnsMax">;

const LIMITS_DEFAULT: UserLimits = { weight: 1, userClass: 0, queuedMax: 10_000, runningMax: null };

type Closed = "succeeded" | "failed" | "rejected" | "aborted" | "expired";

/** What must be true of a dispatcher, by its inputs and effects alone: a second bookkeeping beside its own, plain and slow. */
export class Ledger {
  readonly options: LedgerOptions;
  nowMs = -Infinity;
  startTagMax = 0;
  readonly tasks = new Map<string, LedgerTask>();
  readonly providers = new Map<string, LedgerProvider>();
  readonly users = new Map<string, LedgerUser>();
  /** How many tasks were settled, and their ids. */
  readonly settled = new Set<string>();
  /** Tasks that this step is about: their state is looked at first. */
  readonly touched = new Set<string>();
  #fault: Fault | null = null;
  readonly #ended: string[] = [];

  constructor(options: LedgerOptions, settled: Iterable<string>) {
    this.options = options;
    for (const taskId of settled) this.settled.add(taskId);
  }

  userOf(userId: string): LedgerUser {
    let user = this.users.get(userId);
    if (user === undefined) {
      user = { limits: LIMITS_DEFAULT, tag: 0, tasks: 0, chargedMs: 0, measuredMs: 0 };
      this.users.set(userId, user);
    }
    return user;
  }

  openAttempt(ref: AttemptRef): LedgerAttempt | undefined {
    return this.tasks.get(ref.taskId)?.open.find((attempt) => attempt.attempt === ref.attempt);
  }

  /** Tasks of a user that somebody works on, as far as is known. */
  runningOf(userId: string): number {
    let running = 0;
    for (const { task, open, over } of this.tasks.values()) {
      if (!over && task.userId === userId && open.some((attempt) => attempt.lostAtMs === null)) running += 1;
    }
    return running;
  }

  /** Attempts that sit on slots of a provider. */
  occupied(provider: LedgerProvider): { readonly open: number; readonly sitting: number } {
    let open = 0;
    let sitting = 0;
    for (const attempt of provider.attempts) {
      if (attempt.open) open += 1;
      else if (attempt.sitsUntilMs > this.nowMs) sitting += 1;
      else provider.attempts.delete(attempt);
    }
    return { open, sitting };
  }

  /** Takes note of an input that was accepted, before its effects. */
  hear(nowMs: number, input: DispatcherInput): void {
    this.nowMs = Math.max(this.nowMs, nowMs);
    this.touched.clear();
    this.#fault = null;
    switch (input.type) {
      case "submit":
        this.#submit(input.task);
        break;
      case "withdraw": {
        const task = this.tasks.get(input.taskId);
        if (task !== undefined) this.#end(task);
        break;
      }
      case "userChanged":
        this.userOf(input.userId).limits = input.limits;
        break;
      case "providerJoined":
        this.#join(input.provider, input.held, input.draining ?? false);
        break;
      case "providerChanged":
        this.#providerOf(input.provider).offer = input.provider;
        break;
      case "providerLost": {
        const provider = this.providers.get(input.providerId);
        if (provider !== undefined) {
          provider.online = false;
          for (const attempt of provider.attempts) if (!attempt.open) provider.attempts.delete(attempt);
        }
        break;
      }
      case "drain":
      case "undrain": {
        const provider = this.providers.get(input.providerId);
        if (provider !== undefined) provider.draining = input.type === "drain";
        break;
      }
      case "failed":
        this.#fault = input.fault;
        this.#answered(input);
        break;
      case "completed":
      case "rejected":
        this.#answered(input);
        break;
      default:
    }
  }

  /** Takes note of one effect, in order. */
  note(effect: DispatcherEffect): void {
    if ("taskId" in effect) this.touched.add(effect.taskId);
    switch (effect.type) {
      case "send":
        this.#send(effect);
        break;
      case "attemptChanged":
        if (effect.open) this.#move(effect, effect.state === "lost");
        else this.#close(effect, effect.state as Closed, effect.gpuMs);
        break;
      case "requeued": {
        const task = this.tasks.get(effect.taskId);
        if (task !== undefined) task.retryAtMs = this.nowMs + effect.retryInMs;
        break;
      }
      case "settled": {
        const task = this.tasks.get(effect.taskId);
        this.settled.add(effect.taskId);
        if (task !== undefined) this.#end(task);
        break;
      }
      default:
    }
  }

  /** After the last effect: forgets what ended, and returns attempts that should have been closed with their tasks. */
  close(): LedgerAttempt[] {
    const left: LedgerAttempt[] = [];
    for (const taskId of this.#ended) {
      left.push(...(this.tasks.get(taskId)?.open ?? []));
      this.tasks.delete(taskId);
    }
    this.#ended.length = 0;
    // Nobody waits, so all are even from here on.
    if (this.tasks.size === 0)
      for (const { tag } of this.users.values()) this.startTagMax = Math.max(this.startTagMax, tag);
    return left;
  }

  #submit(task: Task): void {
    const { history } = task;
    const user = this.userOf(task.userId);
    if (user.tasks === 0) user.tag = Math.max(user.tag, this.startTagMax);
    user.tasks += 1;
    const entry: LedgerTask = {
      task,
      submittedAtMs: this.nowMs - task.ageMs,
      failed: new Set(history?.failedProviderIds ?? []),
      skippedUntilMs: new Map(),
      open: [],
      faults: history?.faults ?? 0,
      losses: history?.losses ?? 0,
      lastAttempt: history?.lastAttempt ?? 0,
      retryAtMs: this.nowMs + (history?.retryInMs ?? 0),
      over: false,
    };
    this.tasks.set(task.taskId, entry);
    this.touched.add(task.taskId);
    for (const { attempt, providerId, limitLeftMs, cost } of history?.open ?? []) {
      const limitAtMs = this.nowMs + Math.max(0, limitLeftMs);
      this.#open(entry, { taskId: task.taskId, attempt, providerId, limitAtMs, cost, chargedMs: 0, restored: true });
    }
  }

  #join(offer: Provider, held: readonly AttemptRef[], draining: boolean): void {
    const provider = this.#providerOf(offer);
    provider.offer = offer;
    provider.online = true;
    provider.draining = draining;
    for (const attempt of provider.attempts) {
      const isHeld = held.some((ref) => ref.taskId === attempt.taskId && ref.attempt === attempt.attempt);
      if (!attempt.open && !isHeld) provider.attempts.delete(attempt);
    }
  }

  #providerOf(offer: Provider): LedgerProvider {
    let provider = this.providers.get(offer.providerId);
    if (provider === undefined) {
      provider = { providerId: offer.providerId, offer, online: false, draining: false, attempts: new Set() };
      this.providers.set(offer.providerId, provider);
      for (const { open } of this.tasks.values()) {
        for (const attempt of open) if (attempt.providerId === offer.providerId) provider.attempts.add(attempt);
      }
    }
    return provider;
  }

  #answered(ref: AttemptRef & { readonly providerId: string }): void {
    const provider = this.providers.get(ref.providerId);
    for (const attempt of provider?.attempts ?? []) {
      const isMeant = attempt.taskId === ref.taskId && attempt.attempt === ref.attempt;
      if (isMeant && !attempt.open) provider?.attempts.delete(attempt);
    }
  }

  #send(effect: Extract<DispatcherEffect, { type: "send" }>): void {
    const task = this.tasks.get(effect.taskId);
    if (task === undefined) return;
    const { taskId, attempt, providerId, cost, expectedMs } = effect;
    const limitAtMs = this.nowMs + effect.limitMs;
    this.#open(task, { taskId, attempt, providerId, limitAtMs, cost, chargedMs: expectedMs, restored: false });
  }

  #open(
    task: LedgerTask,
    facts: Pick<LedgerAttempt, "taskId" | "attempt" | "providerId" | "limitAtMs" | "cost" | "chargedMs" | "restored">,
  ): void {
    const attempt: LedgerAttempt = {
      ...facts,
      open: true,
      lostAtMs: facts.restored ? this.nowMs : null,
      sitsUntilMs: -Infinity,
    };
    task.open.push(attempt);
    task.lastAttempt = Math.max(task.lastAttempt, attempt.attempt);
    this.providers.get(attempt.providerId)?.attempts.add(attempt);
    const user = this.userOf(task.task.userId);
    const start = Math.max(user.tag, this.startTagMax - this.options.creditMs / user.limits.weight);
    this.startTagMax = Math.max(this.startTagMax, start);
    user.tag = start + attempt.chargedMs / user.limits.weight;
    user.chargedMs += attempt.chargedMs;
  }

  #move(ref: AttemptRef, lost: boolean): void {
    const attempt = this.openAttempt(ref);
    if (attempt === undefined) return;
    attempt.restored = false;
    attempt.lostAtMs = lost ? this.nowMs : null;
  }

  #close(ref: AttemptRef & { readonly providerId: string }, state: Closed, gpuMs: number): void {
    const task = this.tasks.get(ref.taskId);
    const attempt = this.openAttempt(ref);
    if (task === undefined || attempt === undefined) return;
    attempt.open = false;
    task.open.splice(task.open.indexOf(attempt), 1);
    const user = this.userOf(task.task.userId);
    user.tag += (gpuMs - attempt.chargedMs) / user.limits.weight;
    user.chargedMs += gpuMs - attempt.chargedMs;
    user.measuredMs += gpuMs;
    attempt.chargedMs = gpuMs;
    this.#count(task, attempt, state);
    const provider = this.providers.get(attempt.providerId);
    if (provider === undefined) return;
    const { legacy } = provider.offer;
    if (state === "aborted" && provider.online && !(legacy && attempt.limitAtMs <= this.nowMs)) {
      attempt.sitsUntilMs = legacy ? attempt.limitAtMs : this.nowMs + this.options.abortSettleMs;
    } else {
      provider.attempts.delete(attempt);
    }
  }

  /** What an ended attempt means for its task's budgets, unless the task is over anyway. */
  #count(task: LedgerTask, attempt: LedgerAttempt, state: Closed): void {
    if (state === "expired") task.losses += 1;
    if (state === "rejected") task.skippedUntilMs.set(attempt.providerId, this.nowMs + this.options.rejectSkipMs);
    const isFault = state === "failed" ? this.#fault !== "task" : state === "aborted" && !task.over;
    if (!isFault) return;
    task.faults += 1;
    task.failed.add(attempt.providerId);
  }

  #end(task: LedgerTask): void {
    if (task.over) return;
    task.over = true;
    this.#ended.push(task.task.taskId);
    this.userOf(task.task.userId).tasks -= 1;
  }
}
