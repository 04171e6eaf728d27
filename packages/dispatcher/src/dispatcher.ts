import { Core } from "./core.ts";
import type { StepResult } from "./effect.ts";
import type { EstimatesSnapshot } from "./estimates.ts";
import type { DispatcherInput, UserLimits } from "./input.ts";
import { completeOptions, type DispatcherOptions } from "./options.ts";
import type { PlantedFault } from "./planted-faults.ts";
import { type Demand, readDemand } from "./reading/demand.ts";
import { type Explanation, explainTask } from "./reading/explanation.ts";
import { type Inspection, inspect } from "./reading/inspection.ts";
import { snapshotProvider } from "./reading/provider-snapshot.ts";
import { type ClassDemand, RegisteredClasses } from "./reading/registered-classes.ts";
import type { IdleProvider, ProviderSnapshot, TaskSnapshot } from "./reading/snapshots.ts";
import { snapshotTask } from "./reading/task-snapshot.ts";
import { readUsers, type UserDemand } from "./reading/user-demand.ts";
import { type WhatIf, whatIf } from "./reading/what-if.ts";
import { USER_LIMITS_DEFAULT } from "./state/user-record.ts";
import { step } from "./step.ts";
import type { Requirements, Task } from "./task.ts";

/** Decides which provider runs which task. It performs no action itself: feed it inputs with the time, carry out the effects, and feed a `tick` at its
 *  next deadline. The same inputs give the same effects. */
export class Dispatcher {
  readonly #core: Core;
  readonly #registered = new RegisteredClasses();

  /** @param planted bugs to plant, for tests only: see `@genai/dispatcher/testing`.
   *  @throws RangeError for an option out of range. */
  constructor(options: Partial<DispatcherOptions> = {}, planted: readonly PlantedFault[] = []) {
    this.#core = new Core(completeOptions(options), new Set(planted));
  }

  /** Feeds one input. `nowMs` is a monotonic time; an earlier one counts as the last seen one. Refused inputs leave the state untouched. */
  step(nowMs: number, input: DispatcherInput): StepResult {
    return step(this.#core, nowMs, input);
  }

  /** When a `tick` is due, on the clock of `step`; null for never. */
  nextDeadlineMs(): number | null {
    return this.#core.timers.nextAtMs();
  }

  /** Why a task is where it is: every provider with its reasons or the parts of its score. Null for a task that is not here. */
  explain(taskId: string): Explanation | null {
    const task = this.#core.tasks.get(taskId);
    return task === undefined ? null : explainTask(this.#core, task);
  }

  /** What would happen to a task if it were submitted now. Changes nothing. */
  whatIf(task: Task): WhatIf {
    return whatIf(this.#core, task);
  }

  /** The waiting tasks, by requirement class and price ceiling, and the slots available to them. Counted incrementally, not sampled. */
  demand(): Demand {
    return readDemand(this.#core);
  }

  /** The waiting and running tasks of each user. Takes time proportional to the number of queued tasks. */
  users(): UserDemand[] {
    return readUsers(this.#core);
  }

  /** The number of requirement classes of which a user has tasks waiting here. */
  waitingClassesOf(userId: string): number {
    return this.#core.users.get(userId)?.lanes.size ?? 0;
  }

  /** The limits that apply to a user: those of the last `userChanged`, or the defaults if there was none or it is forgotten. */
  limitsOf(userId: string): UserLimits {
    return this.#core.users.get(userId)?.limits ?? USER_LIMITS_DEFAULT;
  }

  /** Registers a requirement class of which the caller keeps tasks elsewhere. */
  registerClass(requirements: Requirements): void {
    this.#registered.register(requirements);
  }

  /** Undoes {@link registerClass}. */
  forgetClass(classKey: string): void {
    this.#registered.forget(classKey);
  }

  /** The demand for a class that is registered or has tasks waiting; zeros for any other. */
  classDemand(classKey: string): ClassDemand {
    return this.#registered.demand(this.#core, classKey);
  }

  /** Providers with free slots that no task here would take, and the registered classes that each serves. At most `limit`, default 1 000. */
  idleProviders(limit = 1_000): IdleProvider[] {
    return this.#registered.idleProviders(this.#core, limit);
  }

  /** An unsettled task, or null. */
  task(taskId: string): TaskSnapshot | null {
    const task = this.#core.tasks.get(taskId);
    return task === undefined ? null : snapshotTask(this.#core, task);
  }

  /** A provider that is connected, has attempts, or is remembered for its conduct; else null. */
  provider(providerId: string): ProviderSnapshot | null {
    const provider = this.#core.providers.get(providerId);
    return provider === undefined ? null : snapshotProvider(this.#core, provider);
  }

  /** What was learned about how long work takes, to be kept across a restart. */
  exportEstimates(): EstimatesSnapshot {
    return this.#core.estimates.export();
  }

  /** Imports what an earlier process learned. Call it before the first task, because waiting tasks are not re-evaluated. */
  importEstimates(snapshot: EstimatesSnapshot): void {
    this.#core.estimates.import(snapshot);
  }

  /** The whole state as plain JSON. */
  inspect(): Inspection {
    return inspect(this.#core);
  }
}
