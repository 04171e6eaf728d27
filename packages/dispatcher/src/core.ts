import type { DispatcherEffect } from "./effect.ts";
import { Estimates } from "./estimates.ts";
import type { DispatcherOptions } from "./options.ts";
import { OrderedIndex } from "./ordered-index.ts";
import { Placement } from "./placement/placement.ts";
import type { PlacementContext } from "./placement/placement-context.ts";
import type { PlantedFault } from "./planted-faults.ts";
import { IdleUsers } from "./state/idle-users.ts";
import type { ProviderRecord } from "./state/provider-record.ts";
import type { TaskRecord } from "./state/task-record.ts";
import type { Timer } from "./state/timer.ts";
import type { UserRecord } from "./state/user-record.ts";
import { Timers } from "./timers.ts";

/** Everything that the core remembers. The modules in `lifecycle/` change it, `placement/` decides who gets what. */
export class Core implements PlacementContext {
  readonly options: DispatcherOptions;
  /** Empty outside of tests. */
  readonly planted: ReadonlySet<PlantedFault>;
  /** The latest time heard. */
  nowMs = -Infinity;
  /** Until then no attempt is considered lost because of silence. */
  amnestyUntilMs = -Infinity;
  /** Unsettled tasks. A settled one is forgotten: the store has its verdict. */
  readonly tasks = new Map<string, TaskRecord>();
  readonly providers = new Map<string, ProviderRecord>();
  /** Of these: those that are gone and remembered for their conduct alone, whoever has been gone for longest first. */
  readonly goneProviders = new OrderedIndex<ProviderRecord>(
    (a, b) => a.goneNumber - b.goneNumber,
    () => 0,
  );
  readonly users = new Map<string, UserRecord>();
  /** Of these: those without tasks. */
  readonly idleUsers = new IdleUsers();
  readonly timers = new Timers<Timer>();
  readonly estimates: Estimates;
  readonly placement: Placement;
  /** What this step asks of the caller so far, in order. */
  effects: DispatcherEffect[] = [];
  /** Where newcomers begin: the greatest start tag sent, or, from when there was no task at all, the greatest tag. */
  startTagMax = 0;
  /** Numbers tasks, users and providers in the order of their appearance. */
  sequence = 0;

  constructor(options: DispatcherOptions, planted: ReadonlySet<PlantedFault>) {
    this.options = options;
    this.planted = planted;
    this.estimates = new Estimates(options.modelLoadMs);
    this.placement = new Placement(this);
  }
}
