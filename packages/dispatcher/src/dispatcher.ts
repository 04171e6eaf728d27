import { Core } from "./core.ts";
import type { StepResult } from "./effect.ts";
import { step } from "./engine.ts";
import type { DispatcherInput } from "./input.ts";
import { completeOptions, type DispatcherOptions } from "./options.ts";
import type { PlantedFault } from "./planted-faults.ts";
import type { IdleProvider, ProviderSnapshot, TaskSnapshot } from "./reading/snapshots.ts";
import type { Requirements } from "./task.ts";

/** Decides which provider runs which task. It does nothing itself: feed it inputs with the time, carry out the effects, and feed a
 *  `tick` when its next deadline comes. The same inputs give the same effects. */
export class Dispatcher {
  readonly #core: Core;

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

  /** Makes a requirement class known, so that {@link Dispatcher.idleProviders} tells who serves it. */
  registerClass(requirements: Requirements): void {
    this.#core.placement.registerClass(requirements);
  }

  /** Forgets a class that was registered. */
  forgetClass(classKey: string): void {
    this.#core.placement.forgetClass(classKey);
  }

  /** Tasks of a class that wait here, slots of connected providers that fit it, and those of them that are free. An unknown class has none. */
  classDemand(classKey: string): { waiting: number; fittingSlots: number; idleSlots: number } {
    return this.#core.placement.classDemand(classKey);
  }

  /** Idle slots for which nothing waits here. */
  idleProviders(): IdleProvider[] {
    return this.#core.placement.idleProviders();
  }

  /** An unsettled task, or null. */
  task(taskId: string): TaskSnapshot | null {
    const task = this.#core.tasks.get(taskId);
    return task === undefined ? null : this.#core.placement.taskSnapshot(task);
  }

  /** A provider that is connected, has attempts, or is remembered for its conduct; else null. */
  provider(providerId: string): ProviderSnapshot | null {
    const provider = this.#core.providers.get(providerId);
    return provider === undefined ? null : this.#core.placement.providerSnapshot(provider);
  }
}
