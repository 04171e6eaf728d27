import type { CommitLoop } from "./commit-loop.ts";

/** Some counts never come back to 0 by themselves, and users are named by whoever has a token. */
const USERS_MAX = 100_000;

/** What each user has in the store, of one kind: read at a user's first submission and counted from then on. An estimate: what was decided
 *  and not stored yet when it was read, and what other servers and sweeps did, it has not heard of. So it is read anew before anybody is
 *  refused for it. */
export class UserCounts {
  readonly #readOf: (userId: string) => Promise<number>;
  readonly #commits: Pick<CommitLoop, "after">;
  readonly #usersMax: number;
  readonly #counts = new Map<string, number>();
  /** Reads under way, and what changed meanwhile. */
  readonly #reads = new Map<string, { readonly done: Promise<void>; changed: number }>();

  /** @param readOf asks the store.
   *  @param usersMax so many are remembered, the oldest make room and are read again. */
  constructor(readOf: (userId: string) => Promise<number>, commits: Pick<CommitLoop, "after">, usersMax = USERS_MAX) {
    this.#readOf = readOf;
    this.#commits = commits;
    this.#usersMax = usersMax;
  }

  /** The count, or null where it has to be loaded first. */
  peek(userId: string): number | null {
    return this.#counts.get(userId) ?? null;
  }

  /** Whether a user's count is known, and not over `most`: there is nothing to look for. */
  isWithin(userId: string, most: number): boolean {
    const count = this.#counts.get(userId);
    return count !== undefined && count <= most;
  }

  /** Reads a user's count where it is not known, and anew, behind everything that is on its way to the disk, where it is over `most`. */
  async look(userId: string, most: number): Promise<void> {
    if (this.peek(userId) === null) await this.#read(userId, () => this.#readOf(userId));
    if ((this.peek(userId) ?? 0) > most) {
      await this.#read(userId, async () => {
        await new Promise<void>((resolve) => this.#commits.after(resolve));
        return await this.#readOf(userId);
      });
    }
  }

  add(userId: string, difference: number): void {
    const read = this.#reads.get(userId);
    if (read !== undefined) read.changed += difference;
    const count = this.#counts.get(userId);
    if (count === undefined) return;
    // A user of whom nothing is left is read again next time: the map stays as small as the set of the others.
    if (count + difference <= 0) this.#counts.delete(userId);
    else this.#counts.set(userId, count + difference);
  }

  /** Changes during the read are counted on top. */
  #read(userId: string, count: () => Promise<number>): Promise<void> {
    const underWay = this.#reads.get(userId);
    if (underWay !== undefined) return underWay.done;
    const done = count()
      .then((stored) => {
        const [oldest] = this.#counts.keys();
        if (this.#counts.size >= this.#usersMax && oldest !== undefined) this.#counts.delete(oldest);
        this.#counts.set(userId, Math.max(0, stored + read.changed));
      })
      .finally(() => this.#reads.delete(userId));
    const read = { done, changed: 0 };
    this.#reads.set(userId, read);
    return done;
  }
}
