import { OrderedIndex } from "../ordered-index.ts";
import type { Kind } from "../placement/kind.ts";
import type { Requirements } from "../task.ts";
import type { ProviderRecord } from "./provider-record.ts";
import { compareTasks, type TaskRecord } from "./task-record.ts";
import type { UserRecord } from "./user-record.ts";

/** Providers that a task may not go to though they fit. Tasks with the same ones share a class. */
export interface Exclusion {
  /** They failed it: not again, unless every other that it could pay has failed it too. */
  readonly failed: ReadonlySet<string>;
  /** They rejected it a moment ago. */
  readonly skipped: ReadonlySet<string>;
  /** Part of the class, because whom it can pay decides whether everybody else has failed it. */
  readonly maxCost: number;
}

/** The waiting tasks of one user in one class, in the user's own order. The number of a task is its ceiling: the highest price at which
 *  it would take a slot that frees up now. */
export class Lane {
  readonly user: UserRecord;
  readonly class: TaskClass;
  readonly tasks = new OrderedIndex<TaskRecord>(compareTasks, (task) => task.ceiling);
  /** Ceiling under which the lane stands in its class's order; −Infinity while it does not stand there. */
  indexedCeiling = -Infinity;

  constructor(user: UserRecord, taskClass: TaskClass) {
    this.user = user;
    this.class = taskClass;
  }
}

/** Tasks that may run on the same providers: the requirement class, whether price alone counts, and what they are excluded from.
 *  Interned: equal ones are the same object. */
export class TaskClass {
  /** Everything that makes the class. */
  readonly key: string;
  /** `requirementClassKey` of its tasks. */
  readonly requirementKey: string;
  /** In their canonical spelling. */
  readonly requirements: Requirements;
  /** Its tasks have a ratio of 0: they go to the least price, and wait for it as long as it takes. */
  readonly frugal: boolean;
  readonly exclusion: Exclusion | null;
  /** Kinds that meet the requirements. */
  readonly kinds: Kind[] = [];
  readonly lanes = new Map<UserRecord, Lane>();
  /** Lanes of users who may be served now, in the order between users. */
  readonly order = new OrderedIndex<Lane>(compareLanes, (lane) => lane.indexedCeiling);
  waiting = 0;
  /** Its place among the classes to look at again. */
  recheckPlace = -1;

  constructor(
    key: string,
    requirementKey: string,
    requirements: Requirements,
    frugal: boolean,
    exclusion: Exclusion | null,
  ) {
    this.key = key;
    this.requirementKey = requirementKey;
    this.requirements = requirements;
    this.frugal = frugal;
    this.exclusion = exclusion;
  }

  /** The model whose loading counts; empty for none. */
  get model(): string {
    return this.requirements.models[0] ?? "";
  }

  /** Whether an exclusion keeps this provider away. `failedToo`: those that failed the task are let in again. */
  excludes(provider: ProviderRecord, failedToo: boolean): boolean {
    const { exclusion } = this;
    if (exclusion === null) return false;
    if (exclusion.skipped.has(provider.providerId)) return true;
    return !failedToo && exclusion.failed.has(provider.providerId);
  }
}

/** Order between users: the administrator's classes are strict, then the least service tag, then who waits longest. */
export function compareLanes(a: Lane, b: Lane): number {
  return (
    b.user.limits.userClass - a.user.limits.userClass ||
    a.user.tag - b.user.tag ||
    a.user.waitingSinceMs - b.user.waitingSinceMs ||
    a.user.sequence - b.user.sequence
  );
}
