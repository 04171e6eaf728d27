import type { ProviderRecord } from "../state/provider-record.ts";
import type { Hold, TaskRecord } from "../state/task-record.ts";
import { taskTimer } from "../state/timer.ts";
import type { Backlog } from "./backlog.ts";
import { choosingFor, type Option, optionOf } from "./choose.ts";
import type { Fleet } from "./fleet.ts";
import { heldCeiling, holdFor } from "./hold.ts";
import type { PlacementContext } from "./placement-context.ts";

/** The tasks that are held, each with its timer, its ceiling and its place at the provider that it waits for. */
export class Holds {
  readonly #context: PlacementContext;
  readonly #fleet: Fleet;
  readonly #backlog: Backlog;
  readonly #held = new Set<TaskRecord>();

  constructor(context: PlacementContext, fleet: Fleet, backlog: Backlog) {
    this.#context = context;
    this.#fleet = fleet;
    this.#backlog = backlog;
  }

  /** All of them as they are now; they may be released meanwhile. */
  tasks(): readonly TaskRecord[] {
    return [...this.#held];
  }

  /** Holds a task for a busy provider over the free one, or returns false where that is not worth it. */
  hold(task: TaskRecord, busy: Option, free: Option): boolean {
    const { nowMs, timers } = this.#context;
    const hold = holdFor(task, busy, free, nowMs);
    if (hold === null) return false;
    task.hold = hold;
    hold.over.decliners.add(task);
    this.#held.add(task);
    busy.provider.holders.push(task);
    this.#backlog.setCeiling(task, heldCeiling(task, hold, busy, free, choosingFor(task, this.#context)));
    task.holdTimer ??= taskTimer("holdEnds", task);
    timers.set(task.holdTimer, hold.untilMs);
    this.#fleet.retime(busy.provider, nowMs);
    return true;
  }

  /** Whether a task that is held would rather go on waiting than take this slot. The hold then bears with this slot too: it may end sooner. */
  stands(task: TaskRecord, hold: Hold, provider: ProviderRecord): boolean {
    if (provider.kind === null || hold.provider.kind === null) return false;
    const by = choosingFor(task, this.#context);
    const q = optionOf(task, hold.provider, hold.provider.kind, by, hold.provider.holders.indexOf(task));
    const s = optionOf(task, provider, provider.kind, by, 0);
    const renewed = holdFor(task, q, s, by.nowMs, hold.sinceMs);
    if (renewed === null) return false;
    if (renewed.untilMs < hold.untilMs) {
      hold.over.decliners.delete(task);
      renewed.over.decliners.add(task);
      task.hold = { ...renewed, expectedMs: hold.expectedMs };
      if (task.holdTimer !== null) this.#context.timers.set(task.holdTimer, renewed.untilMs);
    }
    return true;
  }

  /** Ends a hold, if there is one. */
  release(task: TaskRecord): void {
    const { hold } = task;
    if (hold === null) return;
    const { nowMs, timers } = this.#context;
    task.heldMs += nowMs - hold.sinceMs;
    task.hold = null;
    this.#held.delete(task);
    hold.over.decliners.delete(task);
    timers.clear(task.holdTimer);
    hold.provider.holders.splice(hold.provider.holders.indexOf(task), 1);
    this.#backlog.setCeiling(task, task.maxCost);
    this.#fleet.retime(hold.provider, nowMs);
  }
}
