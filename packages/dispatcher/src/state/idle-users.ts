import { OrderedIndex } from "../ordered-index.ts";
import type { UserRecord } from "./user-record.ts";

/** Users without tasks that are remembered all the same: because they were charged with more than a newcomer, or for limits of their
 *  own. What they are ordered by may not change while they are inside. */
export class IdleUsers {
  /** Those with the usual limits, by their tags. */
  readonly #charged = new OrderedIndex<UserRecord>(
    (a, b) => a.tag - b.tag || a.sequence - b.sequence,
    (user) => user.tag,
  );
  /** Those with limits of their own, whoever has had no task for longest first. */
  readonly #limited = new OrderedIndex<UserRecord>(
    (a, b) => a.idleNumber - b.idleNumber,
    (user) => user.tag,
  );
  #number = 0;

  get size(): number {
    return this.#charged.size + this.#limited.size;
  }

  /** −Infinity where there is nobody. */
  get highestTag(): number {
    return Math.max(this.#charged.highest, this.#limited.highest);
  }

  add(user: UserRecord): void {
    user.idleNumber = ++this.#number;
    this.#indexOf(user).add(user);
  }

  /** Does nothing where the user is not inside. */
  delete(user: UserRecord): void {
    if (user.idleNumber === 0) return;
    this.#indexOf(user).delete(user);
    user.idleNumber = 0;
  }

  /** The one with the least tag among those who are remembered for it alone. */
  leastCharged(): UserRecord | undefined {
    return this.#charged.first();
  }

  /** Of whom the least is lost: whose tag is nearest to a newcomer's, else who has not used limits of its own for longest. */
  mostForgettable(): UserRecord | undefined {
    return this.#charged.first() ?? this.#limited.first();
  }

  #indexOf(user: UserRecord): OrderedIndex<UserRecord> {
    return user.hasDefaultLimits ? this.#charged : this.#limited;
  }
}
