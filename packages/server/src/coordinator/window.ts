import { type Requirements, requirementsOfClassKey } from "@genai/dispatcher";
import type { ClaimedTask, TaskStore } from "../tasks/task-store.ts";

/** What the window has to know of the dispatcher. */
export interface WindowDemand {
  classDemand(classKey: string): { readonly waiting: number; readonly setAside: number; readonly fittingSlots: number };
  /** Idle slots are told to serve a class only while it is registered. */
  registerClass(requirements: Requirements): void;
  forgetClass(classKey: string): void;
}

/** Tasks that a class may have in the window beyond twice its slots. */
const WINDOW_BASE = 64;
/** Tasks that each user may have in the window of a class even when it is full, so that nobody's backlog hides another user's task
 *  from the dispatcher's fairness. */
const WINDOW_USER_FLOOR = 4;

/** How much more than that a class may have of tasks that nobody may have for the moment: they must not hide those that somebody would
 *  take, and must not grow without end where a node rejects everything. */
const WINDOW_SET_ASIDE = 3;

/** The bounded window of claimed tasks over a store that may hold millions: for each requirement class at most
 *  2 × the fitting slots + 64 tasks (and 4 of each user beyond that), refilled when half of it is used up. Tasks that everybody who could
 *  run them has rejected a moment ago don't count, up to three times as many. */
export class Window {
  readonly #store: Pick<TaskStore, "claim" | "backlog">;
  readonly #demand: WindowDemand;
  /** Waiting tasks outside of the window, by class. */
  readonly #unclaimed = new Map<string, number>();
  /** Tasks in the window by class and user, to grant the floor. */
  readonly #held = new Map<string, Map<string, number>>();
  /** Tasks whose row is on its way to the disk, by class: no claim can see them yet. */
  readonly #arriving = new Map<string, number>();
  /** Grows with every task that stays outside; a claim that finds less than it asked for trusts that only if nothing arrived meanwhile. */
  #arrivals = 0;
  /** Users of a class with tasks outside of the window: their later tasks must not overtake those. Null: unknown, from before the start. */
  readonly #behind = new Map<string, Set<string> | null>();
  #refilling: Promise<void> | null = null;
  #again = false;

  constructor(store: Pick<TaskStore, "claim" | "backlog">, demand: WindowDemand) {
    this.#store = store;
    this.#demand = demand;
  }

  /** Learns what waits in the store. Called once, before anything is admitted. */
  async open(): Promise<void> {
    for (const { classKey, unclaimed } of await this.#store.backlog()) {
      if (unclaimed === 0) continue;
      this.#setUnclaimed(classKey, unclaimed);
      this.#behind.set(classKey, null);
    }
  }

  /** Learns of classes whose tasks came to wait without a word to this process: a backoff of before the start is over, or another
   *  server put them there. */
  async look(): Promise<void> {
    for (const { classKey, unclaimed } of await this.#store.backlog()) {
      if (unclaimed === 0 || this.#unclaimed.has(classKey)) continue;
      this.#setUnclaimed(classKey, unclaimed);
      if (!this.#behind.has(classKey)) this.#behind.set(classKey, null);
    }
  }

  /** Whether a new task goes straight to the dispatcher. If not, it waits in the store until a refill claims it. */
  admits(classKey: string, userId: string): boolean {
    const behind = this.#behind.get(classKey);
    if (behind === null || behind?.has(userId)) return false;
    const { taken, bound } = this.#fill(classKey);
    if (taken < bound) return true;
    return (this.#held.get(classKey)?.get(userId) ?? 0) < WINDOW_USER_FLOOR;
  }

  entered(classKey: string, userId: string): void {
    let users = this.#held.get(classKey);
    if (users === undefined) {
      users = new Map();
      this.#held.set(classKey, users);
    }
    users.set(userId, (users.get(userId) ?? 0) + 1);
  }

  left(classKey: string, userId: string): void {
    const users = this.#held.get(classKey);
    const count = users?.get(userId);
    if (users === undefined || count === undefined) return;
    if (count > 1) users.set(userId, count - 1);
    else users.delete(userId);
    if (users.size === 0) this.#held.delete(classKey);
  }

  /** A task is to stay in the store for now. Followed by {@link arrived} or {@link neverArrived}. */
  staysOutside(classKey: string, userId: string): void {
    this.#arriving.set(classKey, (this.#arriving.get(classKey) ?? 0) + 1);
    this.#arrivals += 1;
    const behind = this.#behind.get(classKey);
    if (behind === undefined) this.#behind.set(classKey, new Set([userId]));
    else behind?.add(userId);
  }

  /** Its row is on the disk. */
  arrived(classKey: string): void {
    this.neverArrived(classKey);
    this.#arrivals += 1;
    this.#setUnclaimed(classKey, (this.#unclaimed.get(classKey) ?? 0) + 1);
  }

  /** Its row never came to be. */
  neverArrived(classKey: string): void {
    const arriving = (this.#arriving.get(classKey) ?? 0) - 1;
    if (arriving > 0) this.#arriving.set(classKey, arriving);
    else this.#arriving.delete(classKey);
  }

  /** A task outside of the window ended there (canceled, expired). */
  endedOutside(classKey: string): void {
    this.#count(classKey, -1);
  }

  /** True while a class has tasks outside of the window. */
  get hasBacklog(): boolean {
    return this.#unclaimed.size > 0;
  }

  /** Claims what fits and hands it to `take`. Calls during a refill lead to one more round. `idle`: the cheapest idle price and the
   *  classes, for slots for which nothing waits in the window. */
  refill(
    take: (claimed: readonly ClaimedTask[]) => void,
    idle: () => readonly { readonly classKey: string; readonly cost: number }[],
  ): Promise<void> {
    if (this.#unclaimed.size === 0) return Promise.resolve();
    if (this.#refilling !== null) {
      this.#again = true;
      return this.#refilling;
    }
    this.#refilling = this.#rounds(take, idle).finally(() => {
      this.#refilling = null;
    });
    return this.#refilling;
  }

  async #rounds(
    take: (claimed: readonly ClaimedTask[]) => void,
    idle: () => readonly { readonly classKey: string; readonly cost: number }[],
  ): Promise<void> {
    do {
      this.#again = false;
      for (const classKey of [...this.#unclaimed.keys()]) {
        const { taken, bound } = this.#fill(classKey);
        if (taken <= bound / 2) await this.#claim(classKey, bound - taken, 0, take);
      }
      for (const { classKey, cost } of idle()) {
        const isWorthIt = this.#unclaimed.has(classKey) && !this.#fill(classKey).overflows;
        if (isWorthIt) await this.#claim(classKey, 1, cost, take);
      }
    } while (this.#again);
  }

  /** How much of the room of a class is taken, and whether more is set aside than it has room for. */
  #fill(classKey: string): { readonly taken: number; readonly bound: number; readonly overflows: boolean } {
    const { waiting, setAside, fittingSlots } = this.#demand.classDemand(classKey);
    const bound = 2 * fittingSlots + WINDOW_BASE;
    const setAsideMax = WINDOW_SET_ASIDE * bound;
    return { taken: waiting - Math.min(setAside, setAsideMax), bound, overflows: setAside >= setAsideMax };
  }

  async #claim(
    classKey: string,
    limit: number,
    costMin: number,
    take: (claimed: readonly ClaimedTask[]) => void,
  ): Promise<void> {
    const arrivals = this.#arrivals;
    const claimed = await this.#store.claim({ classKeys: [classKey], limit, costMin });
    if (claimed.length > 0) {
      this.#count(classKey, -claimed.length);
      take(claimed);
    }
    // Nothing more to be had: the count was of tasks that others took or that ended.
    if (claimed.length < limit && costMin === 0 && arrivals === this.#arrivals) this.#forget(classKey);
  }

  #count(classKey: string, difference: number): void {
    const left = (this.#unclaimed.get(classKey) ?? 0) + difference;
    if (left > 0) this.#setUnclaimed(classKey, left);
    else this.#forget(classKey);
  }

  #setUnclaimed(classKey: string, count: number): void {
    if (!this.#unclaimed.has(classKey)) this.#demand.registerClass(requirementsOfClassKey(classKey));
    this.#unclaimed.set(classKey, count);
  }

  #forget(classKey: string): void {
    if (this.#unclaimed.delete(classKey)) this.#demand.forgetClass(classKey);
    if (!this.#arriving.has(classKey)) this.#behind.delete(classKey);
  }
}
