import { type Requirements, requirementsOfClassKey } from "@genai/dispatcher";
import type { ClaimedTask, TaskStore } from "../tasks/task-store.ts";
import { CrowdedUsers } from "./crowded-users.ts";

/** What the window has to know of the dispatcher. */
export interface WindowDemand {
  classDemand(classKey: string): { readonly waiting: number; readonly setAside: number; readonly fittingSlots: number };
  /** Of how many classes a user has tasks waiting. */
  waitingClassesOf(userId: string): number;
  /** Idle slots are told to serve a class only while it is registered. */
  registerClass(requirements: Requirements): void;
  forgetClass(classKey: string): void;
}

/** Takes claimed tasks. `idle`: a slot takes them at once, so that they need no room. */
type Take = (claimed: readonly ClaimedTask[], how: { readonly idle: boolean }) => void;

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
 *  run them has rejected a moment ago don't count, up to three times as many. Of each user a bounded number of classes: see
 *  {@link CrowdedUsers}. */
export class Window {
  readonly #store: Pick<TaskStore, "claim" | "backlog">;
  readonly #demand: WindowDemand;
  /** Waiting tasks outside of the window, by class. */
  readonly #unclaimed = new Map<string, number>();
  /** Those of these classes that are claimed; the others are of crowded users alone. */
  readonly #claimable = new Set<string>();
  readonly #crowded: CrowdedUsers;
  /** Tasks in the window by class and user, to grant the floor. */
  readonly #held = new Map<string, Map<string, number>>();
  /** Tasks whose row is on its way to the disk, by class: no claim can see them yet. */
  readonly #arriving = new Map<string, number>();
  /** Grows with every task that stays outside; a claim that finds less than it asked for trusts that only if nothing arrived meanwhile. */
  #arrivals = 0;
  /** Users of a class with tasks outside of the window: their later tasks must not overtake those. Null: unknown, from before the start. */
  readonly #behind = new Map<string, Set<string> | null>();
  /** Tasks that ended outside during a refill: the answer of a claim that is under way may still hold them. */
  readonly #ended = new Set<string>();
  #refilling: Promise<void> | null = null;
  #again = false;

  constructor(store: Pick<TaskStore, "claim" | "backlog">, demand: WindowDemand) {
    this.#store = store;
    this.#demand = demand;
    this.#crowded = new CrowdedUsers((userId) => demand.waitingClassesOf(userId));
  }

  /** Learns what waits in the store. Called once, before anything is admitted. */
  async open(): Promise<void> {
    for (const { classKey, unclaimed } of await this.#store.backlog()) {
      if (unclaimed === 0) continue;
      this.#behind.set(classKey, null);
      this.#setUnclaimed(classKey, unclaimed);
    }
  }

  /** Learns of classes whose tasks came to wait without a word to this process: a backoff of before the start is over, or another
   *  server put them there. Called once a second. */
  async look(): Promise<void> {
    this.#crowded.beat();
    for (const { classKey, unclaimed } of await this.#store.backlog()) {
      if (unclaimed === 0 || this.#claimable.has(classKey)) continue;
      const known = this.#unclaimed.get(classKey);
      if (known === undefined) {
        if (!this.#behind.has(classKey)) this.#behind.set(classKey, null);
        this.#setUnclaimed(classKey, unclaimed);
      } else if (unclaimed > known + (this.#arriving.get(classKey) ?? 0)) {
        // Somebody else's may be among them.
        this.#behind.set(classKey, null);
        this.#setUnclaimed(classKey, unclaimed);
      }
    }
  }

  /** Whether a new task goes straight to the dispatcher. If not, it waits in the store until a refill claims it. */
  admits(classKey: string, userId: string): boolean {
    const behind = this.#behind.get(classKey);
    if (behind === null || behind?.has(userId) || this.#crowded.has(userId)) return false;
    const { taken, bound } = this.#fill(classKey);
    if (taken < bound) return true;
    return (this.#held.get(classKey)?.get(userId) ?? 0) < WINDOW_USER_FLOOR;
  }

  /** Whether a claimed task may stay in the window. If not, it goes back to the store. */
  keeps(classKey: string, userId: string): boolean {
    return this.#held.get(classKey)?.has(userId) === true || this.#crowded.hasRoom(userId);
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
    this.#endArriving(classKey);
    this.#arrivals += 1;
    this.#setUnclaimed(classKey, (this.#unclaimed.get(classKey) ?? 0) + 1);
  }

  /** Its row never came to be. */
  neverArrived(classKey: string): void {
    this.#endArriving(classKey);
  }

  /** A task outside of the window ended there (canceled, expired). */
  endedOutside(classKey: string, taskId: string): void {
    this.#count(classKey, -1);
    if (this.#refilling !== null) this.#ended.add(taskId);
  }

  /** True while there may be something to claim. */
  get hasBacklog(): boolean {
    return this.#claimable.size > 0 || !this.#crowded.isEmpty;
  }

  /** Claims what fits and hands it to `take`. Calls during a refill lead to one more round. `idle`: one entry for each idle
   *  provider and class that it fits, with the provider's price. */
  refill(take: Take, idle: () => readonly { readonly classKey: string; readonly cost: number }[]): Promise<void> {
    if (!this.hasBacklog) return Promise.resolve();
    if (this.#refilling !== null) {
      this.#again = true;
      return this.#refilling;
    }
    this.#refilling = this.#rounds(take, idle).finally(() => {
      this.#refilling = null;
      this.#ended.clear();
    });
    return this.#refilling;
  }

  #endArriving(classKey: string): void {
    const arriving = (this.#arriving.get(classKey) ?? 0) - 1;
    if (arriving > 0) this.#arriving.set(classKey, arriving);
    else this.#arriving.delete(classKey);
  }

  async #rounds(
    take: Take,
    idle: () => readonly { readonly classKey: string; readonly cost: number }[],
  ): Promise<void> {
    do {
      this.#again = false;
      for (const classKey of this.#crowded.takeDue()) if (this.#unclaimed.has(classKey)) this.#ask(classKey);
      for (const classKey of [...this.#claimable]) {
        const { taken, bound } = this.#fill(classKey);
        if (taken <= bound / 2) await this.#claim(classKey, bound - taken, 0, false, take);
      }
      for (const { classKey, cost } of idle()) {
        const isWorthIt = this.#claimable.has(classKey) && !this.#fill(classKey).overflows;
        if (isWorthIt) await this.#claim(classKey, 1, cost, true, take);
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

  async #claim(classKey: string, limit: number, costMin: number, idle: boolean, take: Take): Promise<void> {
    const arrivals = this.#arrivals;
    const claimed = await this.#store.claim({ classKeys: [classKey], limit, costMin });
    const sawAll = costMin === 0 && arrivals === this.#arrivals;
    const unsettled = claimed.filter(({ task }) => !this.#ended.has(task.taskId));
    if (unsettled.length > 0) this.#count(classKey, -unsettled.length);
    // Nothing more to be had: the count was of tasks that others took or that ended.
    if (sawAll && claimed.length < limit) this.#forget(classKey);
    else if (sawAll) this.#learnUsers(classKey, claimed, limit);
    if (unsettled.length > 0) take(unsettled, { idle });
    if (this.#unclaimed.has(classKey)) this.#place(classKey);
  }

  /** A claim takes of every user in turn: where it had fewer users than tasks there are no others. */
  #learnUsers(classKey: string, claimed: readonly ClaimedTask[], limit: number): void {
    if (this.#behind.get(classKey) !== null) return;
    const users = new Set(claimed.map(({ task }) => task.userId));
    if (users.size < limit) this.#behind.set(classKey, users);
  }

  #count(classKey: string, difference: number): void {
    const left = (this.#unclaimed.get(classKey) ?? 0) + difference;
    if (left > 0) this.#setUnclaimed(classKey, left);
    else this.#forget(classKey);
  }

  #setUnclaimed(classKey: string, count: number): void {
    this.#unclaimed.set(classKey, count);
    this.#place(classKey);
  }

  /** Claims a class from now on, or not as long as all whose tasks it has outside are crowded. */
  #place(classKey: string): void {
    const users = this.#behind.get(classKey) ?? null;
    if (users === null || this.#hasUncrowded(users)) {
      this.#ask(classKey);
      return;
    }
    for (const userId of users) this.#crowded.park(userId, classKey);
    this.#askNoMore(classKey);
  }

  #hasUncrowded(users: ReadonlySet<string>): boolean {
    for (const userId of users) if (!this.#crowded.has(userId)) return true;
    return false;
  }

  #ask(classKey: string): void {
    if (this.#claimable.has(classKey)) return;
    this.#claimable.add(classKey);
    this.#demand.registerClass(requirementsOfClassKey(classKey));
  }

  #askNoMore(classKey: string): void {
    if (this.#claimable.delete(classKey)) this.#demand.forgetClass(classKey);
  }

  #forget(classKey: string): void {
    this.#unclaimed.delete(classKey);
    this.#askNoMore(classKey);
    for (const userId of this.#behind.get(classKey) ?? []) this.#crowded.forget(userId, classKey);
    if (!this.#arriving.has(classKey)) this.#behind.delete(classKey);
  }
}
