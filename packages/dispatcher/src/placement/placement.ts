import type { Core } from "../core.ts";
import type { UserLimits } from "../input.ts";
import type { IdleProvider, ProviderSnapshot, TaskSnapshot } from "../reading/snapshots.ts";
import { canonicalRequirements, keyOfCanonical } from "../requirement-class-key.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import { mismatchOf, type TaskClass } from "../state/task-class.ts";
import { compareTasks, type TaskRecord } from "../state/task-record.ts";
import type { UserRecord } from "../state/user-record.ts";
import type { Requirements, Task } from "../task.ts";

/** A task and the provider that is to run it. */
export interface Match {
  readonly task: TaskRecord;
  readonly provider: ProviderRecord;
  readonly expectedMs: number;
  readonly cold: boolean;
}

/** Decides which waiting task goes to which free slot. */
export class Placement {
  readonly #core: Core;
  readonly #classes = new Map<string, TaskClass>();
  readonly #registered = new Map<string, TaskClass>();
  readonly #waiting = new Set<TaskRecord>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** The class of a task, interned. */
  classOf(task: Task): TaskClass {
    const requirements = canonicalRequirements(task.requirements);
    const key = keyOfCanonical(requirements);
    let taskClass = this.#classes.get(key);
    if (taskClass === undefined) {
      taskClass = { key, requirements };
      this.#classes.set(key, taskClass);
    }
    return taskClass;
  }

  taskWaits(task: TaskRecord): void {
    this.#waiting.add(task);
  }

  taskLeaves(task: TaskRecord): void {
    this.#waiting.delete(task);
  }

  excludedChanged(_task: TaskRecord): void {}

  wake(_task: TaskRecord): void {}

  providerChanged(_provider: ProviderRecord): void {}

  retag(user: UserRecord, tag: number): void {
    user.tag = tag;
  }

  relimit(user: UserRecord, limits: UserLimits): void {
    user.limits = limits;
  }

  runningChanged(user: UserRecord, by: number): void {
    user.running += by;
  }

  learn(_attempt: AttemptRecord, _gpuMs: number, _loadMs: number | null): void {}

  expectedMs(task: TaskRecord, _provider: ProviderRecord): number {
    return this.#core.estimates.runMs(task.profile, task.units);
  }

  registerClass(requirements: Requirements): void {
    const canonical = canonicalRequirements(requirements);
    const key = keyOfCanonical(canonical);
    this.#registered.set(key, { key, requirements: canonical });
  }

  forgetClass(classKey: string): void {
    this.#registered.delete(classKey);
  }

  classDemand(classKey: string): { waiting: number; fittingSlots: number; idleSlots: number } {
    const taskClass = this.#classes.get(classKey) ?? this.#registered.get(classKey);
    let waiting = 0;
    let fittingSlots = 0;
    let idleSlots = 0;
    for (const task of this.#waiting) waiting += Number(task.class.key === classKey);
    for (const provider of this.#core.providers.values()) {
      if (taskClass === undefined || provider.offer === null || !provider.online) continue;
      if (mismatchOf(taskClass.requirements, provider.offer) !== null) continue;
      fittingSlots += provider.offer.slots;
      idleSlots += freeSlotsOf(provider);
    }
    return { waiting, fittingSlots, idleSlots };
  }

  idleProviders(): IdleProvider[] {
    const idle: IdleProvider[] = [];
    for (const provider of this.#core.providers.values()) {
      const { offer } = provider;
      const idleSlots = freeSlotsOf(provider);
      if (offer === null || idleSlots === 0) continue;
      const serves = (taskClass: TaskClass) => mismatchOf(taskClass.requirements, offer) === null;
      if ([...this.#waiting].some((task) => serves(task.class) && task.maxCost >= provider.cost)) continue;
      const classKeys = [...this.#registered.values()].filter(serves).map((taskClass) => taskClass.key);
      idle.push({ providerId: provider.providerId, cost: provider.cost, idleSlots, classKeys });
    }
    return idle;
  }

  taskSnapshot(task: TaskRecord): TaskSnapshot {
    const own = [...this.#waiting].filter((other) => other.user === task.user && compareTasks(other, task) < 0);
    return {
      taskId: task.taskId,
      userId: task.user.userId,
      state: task.state,
      position: task.state === "waiting" ? own.length : null,
      expectedSeconds: this.#core.estimates.runMs(task.profile, task.units) / 1_000,
      open: task.open.map(({ attempt, provider, state, progress }) => {
        return { attempt, providerId: provider.providerId, state, progress };
      }),
    };
  }

  providerSnapshot(provider: ProviderRecord): ProviderSnapshot {
    const { providerId, online, draining, silent, breaker, cost, warmModel } = provider;
    const restsForMs = breaker === "resting" ? Math.max(0, provider.restTimer.atMs - this.#core.nowMs) : null;
    const slots = provider.offer?.slots ?? 0;
    const running = provider.attempts.size;
    const freeSlots = freeSlotsOf(provider);
    return { providerId, online, draining, silent, breaker, restsForMs, cost, slots, running, freeSlots, warmModel };
  }

  /** The next thing to send, or null where nothing more can be sent now. */
  next(): Match | null {
    const tasks = [...this.#waiting].sort(
      (a, b) =>
        b.user.limits.userClass - a.user.limits.userClass ||
        a.user.tag - b.user.tag ||
        a.user.waitingSinceMs - b.user.waitingSinceMs ||
        a.user.sequence - b.user.sequence ||
        compareTasks(a, b),
    );
    for (const task of tasks) {
      if (task.user.limits.runningMax !== null && task.user.running >= task.user.limits.runningMax) continue;
      const able = [...this.#core.providers.values()].filter((provider) => this.#eligible(task, provider));
      const untried = able.filter((provider) => !task.trouble?.failed.has(provider.providerId));
      const free = (untried.length > 0 ? untried : able).filter(
        (provider) => capacityOf(provider) > provider.attempts.size,
      );
      const best = free.sort((a, b) => this.#score(task, a) - this.#score(task, b) || a.idleSinceMs - b.idleSinceMs)[0];
      if (best !== undefined) {
        const cold = this.#loadMs(task, best) > 0;
        return { task, provider: best, expectedMs: this.expectedMs(task, best) + this.#loadMs(task, best), cold };
      }
    }
    return null;
  }

  #eligible(task: TaskRecord, provider: ProviderRecord): boolean {
    const { offer } = provider;
    if (offer === null || !provider.online || provider.draining || provider.silent || !offer.ready) return false;
    if (provider.breaker === "resting" || offer.cost > task.maxCost) return false;
    if (task.trouble?.skipped.has(provider.providerId)) return false;
    return mismatchOf(task.class.requirements, offer) === null;
  }

  #score(task: TaskRecord, provider: ProviderRecord): number {
    return provider.cost + (task.ratio * (this.#loadMs(task, provider) + this.expectedMs(task, provider))) / 1_000;
  }

  #loadMs(task: TaskRecord, provider: ProviderRecord): number {
    const { model } = task.profile;
    return model === "" || provider.warmModel === model ? 0 : this.#core.options.modelLoadMs;
  }
}

/** Slots that would take a task now. */
function freeSlotsOf(provider: ProviderRecord): number {
  const { offer } = provider;
  const takesNone = offer === null || !provider.online || provider.draining || provider.silent || !offer.ready;
  if (takesNone || provider.breaker === "resting") return 0;
  return Math.max(0, capacityOf(provider) - provider.attempts.size);
}

/** How many attempts a provider may have now. */
function capacityOf(provider: ProviderRecord): number {
  const slots = provider.offer?.slots ?? 0;
  return provider.breaker === "trial" ? Math.min(1, slots) : slots;
}
