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

/** Decides which provider runs which task. It does nothing itself: feed it inputs with the time, carry out the effects, and feed a
 *  `tick` when its next deadline comes. The same inputs give the same effects. */
export class Dispatcher {
  readonly #core: Core;
  readonly #registered = new RegisteredClasses();

  /** @param planted mistakes to make, for tests alone: see `@genai/dispatcher/testing`.
   *  @throws RangeError for an option out of its range. */
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

  /** What would become of a task if it were submitted now. Nothing changes. */
  whatIf(task: Task): WhatIf {
    return whatIf(this.#core, task);
  }

  /** What waits, by requirement class and price ceiling, and the slots there are for it. Counted as tasks come and go, not sampled. */
  demand(): Demand {
    return readDemand(this.#core);
  }

  /** What each user has waiting and running. Costs as much as there are queued tasks. */
  users(): UserDemand[] {
    return readUsers(this.#core);
  }

  /** Of how many classes a user has tasks waiting here. */
  waitingClassesOf(userId: string): number {
    return this.#core.users.get(userId)?.lanes.size ?? 0;
  }

  /** By which limits a user goes: what `userChanged` said last, or the usual ones where nothing was said or it is forgotten. */
  limitsOf(userId: string): UserLimits {
    return this.#core.users.get(userId)?.limits ?? USER_LIMITS_DEFAULT;
  }

  /** Makes a requirement class known of which the caller keeps tasks elsewhere. */
  registerClass(requirements: Requirements): void {
    this.#registered.register(requirements);
  }

  /** Forgets a class that was registered. */
  forgetClass(classKey: string): void {
    this.#registered.forget(classKey);
  }

  /** How a class stands that is registered or has tasks waiting; zeros for any other. */
  classDemand(classKey: string): ClassDemand {
    return this.#registered.demand(this.#core, classKey);
  }

  /** Free slots that no task here would take, with the registered classes that each serves. At most `limit` providers, default 1 000. */
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

  /** What was learned of how long work takes, to be kept over a restart. */
  exportEstimates(): EstimatesSnapshot {
    return this.#core.estimates.export();
  }

  /** Takes over what an earlier process learned. Before the first task, because what waits is not reckoned anew. */
  importEstimates(snapshot: EstimatesSnapshot): void {
    this.#core.estimates.import(snapshot);
  }

  /** The whole state as plain JSON. */
  inspect(): Inspection {
    return inspect(this.#core);
  }
}
