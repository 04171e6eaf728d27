import { canonicalRequirements, keyOfCanonical } from "../requirement-class-key.ts";
import { type Exclusion, Lane, TaskClass } from "../state/task-class.ts";
import type { TaskRecord } from "../state/task-record.ts";
import type { UserRecord } from "../state/user-record.ts";
import type { Requirements } from "../task.ts";
import { DemandCounter } from "./demand-counter.ts";
import type { Kind } from "./kind.ts";
import { mismatchOf } from "./mismatch.ts";

/** Classes without tasks that are kept, so that a class that empties at every other task is not made anew each time. */
const IDLE_CLASSES_MAX = 1_000;

/** The waiting tasks: by class, in each class by user, in each user by its own order. */
export class Backlog {
  readonly demand = new DemandCounter();
  readonly #classes = new Map<string, TaskClass>();

  classes(): IterableIterator<TaskClass> {
    return this.#classes.values();
  }

  /** The class of tasks with these requirements, interned. `kinds` are those that there are now. */
  classOf(requirements: Requirements, frugal: boolean, exclusion: Exclusion | null, kinds: Iterable<Kind>): TaskClass {
    const canonical = canonicalRequirements(requirements);
    const requirementKey = keyOfCanonical(canonical);
    const key = classKeyOf(requirementKey, frugal, exclusion);
    let taskClass = this.#classes.get(key);
    if (taskClass === undefined) {
      this.#forgetIdle();
      taskClass = new TaskClass(key, requirementKey, canonical, frugal, exclusion);
      for (const kind of kinds) if (mismatchOf(canonical, kind) === null) taskClass.kinds.push(kind);
      this.#classes.set(key, taskClass);
    }
    return taskClass;
  }

  /** A class that is not kept. */
  passingClassOf(requirements: Requirements, frugal: boolean, kinds: Iterable<Kind>): TaskClass {
    const canonical = canonicalRequirements(requirements);
    const passing = new TaskClass("", keyOfCanonical(canonical), canonical, frugal, null);
    for (const kind of kinds) if (mismatchOf(canonical, kind) === null) passing.kinds.push(kind);
    return passing;
  }

  /** Whether it is still the one object for its class: kinds that come and go are told to it. */
  isLive(taskClass: TaskClass): boolean {
    return this.#classes.get(taskClass.key) === taskClass;
  }

  /** A kind that was not there before. */
  addKind(kind: Kind): void {
    for (const taskClass of this.#classes.values()) {
      if (mismatchOf(taskClass.requirements, kind) !== null) continue;
      taskClass.kinds.push(kind);
      if (taskClass.waiting > 0) kind.classes.add(taskClass);
    }
  }

  /** A kind that has no providers any more. */
  dropKind(kind: Kind): void {
    for (const taskClass of this.#classes.values()) {
      const place = taskClass.kinds.indexOf(kind);
      if (place >= 0) taskClass.kinds.splice(place, 1);
    }
    kind.classes.clear();
  }

  add(task: TaskRecord): void {
    const { class: taskClass, user } = task;
    let lane = taskClass.lanes.get(user);
    if (lane === undefined) {
      lane = new Lane(user, taskClass);
      taskClass.lanes.set(user, lane);
      user.lanes.add(lane);
    }
    lane.tasks.add(task);
    reindex(lane);
    if (taskClass.waiting === 0) {
      for (const kind of taskClass.kinds) kind.classes.add(taskClass);
    }
    taskClass.waiting += 1;
    this.demand.add(task);
  }

  delete(task: TaskRecord): void {
    const { class: taskClass, user } = task;
    const lane = taskClass.lanes.get(user);
    if (lane === undefined || !lane.tasks.delete(task)) return;
    reindex(lane);
    this.demand.delete(task);
    if (lane.tasks.size === 0) {
      taskClass.lanes.delete(user);
      user.lanes.delete(lane);
    }
    taskClass.waiting -= 1;
    if (taskClass.waiting > 0) return;
    for (const kind of taskClass.kinds) kind.classes.delete(taskClass);
    // Exclusions seldom come twice.
    if (taskClass.exclusion !== null) this.#classes.delete(taskClass.key);
  }

  /** Changes the ceiling of a waiting task. */
  setCeiling(task: TaskRecord, ceiling: number): void {
    if (task.ceiling === ceiling) return;
    const lane = task.class.lanes.get(task.user);
    if (lane?.tasks.delete(task)) {
      task.ceiling = ceiling;
      lane.tasks.add(task);
      reindex(lane);
    } else {
      task.ceiling = ceiling;
    }
  }

  /** Takes a waiting task out of sight for a moment, and back. */
  hide(task: TaskRecord): void {
    const lane = task.class.lanes.get(task.user);
    if (lane?.tasks.delete(task)) reindex(lane);
  }

  unhide(task: TaskRecord): void {
    const lane = task.class.lanes.get(task.user);
    lane?.tasks.add(task);
    if (lane !== undefined) reindex(lane);
  }

  /** Changes what users are ordered by. */
  reorder(user: UserRecord, change: () => void): void {
    // Alone in its class a lane stands where it stood: most of a user with tasks of many classes are.
    for (const lane of user.lanes) if (lane.class.order.size > 1) takeOut(lane);
    change();
    for (const lane of user.lanes) reindex(lane);
  }

  #forgetIdle(): void {
    if (this.#classes.size < IDLE_CLASSES_MAX) return;
    for (const [key, taskClass] of this.#classes) {
      if (this.#classes.size < IDLE_CLASSES_MAX / 2) break;
      if (taskClass.waiting === 0) this.#classes.delete(key);
    }
  }
}

function takeOut(lane: Lane): void {
  if (lane.indexedCeiling === -Infinity) return;
  lane.class.order.delete(lane);
  lane.indexedCeiling = -Infinity;
}

/** Puts a lane where its user and its tasks belong now; users at their cap stand nowhere. */
function reindex(lane: Lane): void {
  const ceiling = lane.user.capped ? -Infinity : lane.tasks.highest;
  if (lane.indexedCeiling === ceiling) return;
  takeOut(lane);
  if (ceiling === -Infinity) return;
  lane.indexedCeiling = ceiling;
  lane.class.order.add(lane);
}

function classKeyOf(requirementKey: string, frugal: boolean, exclusion: Exclusion | null): string {
  if (exclusion === null) return frugal ? `0 ${requirementKey}` : requirementKey;
  const { failed, skipped, maxCost } = exclusion;
  return `${Number(!frugal)} ${requirementKey} ${JSON.stringify([[...failed].sort(), [...skipped].sort(), maxCost])}`;
}
