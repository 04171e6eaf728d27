import type { TaskStore } from "../tasks/task-store.ts";
import type { CommitLoop } from "./commit-loop.ts";

/** How many waiting tasks each user has, read from the store at a user's first submission and counted from then on. An estimate: what was
 *  decided and not stored yet when it was read, and what other servers did, it has not heard of. So it is read anew before anybody is
 *  refused for it. */
export class QueuedCounts {
  readonly #store: Pick<TaskStore, "queuedOf">;
  readonly #commits: Pick<CommitLoop, "after">;
  readonly #counts = new Map<string, number>();
  /** Reads under way, and what changed meanwhile. */
  readonly #reads = new Map<string, { readonly done: Promise<void>; changed: number }>();

  constructor(store: Pick<TaskStore, "queuedOf">, commits: Pick<CommitLoop, "after">) {
    this.#store = store;
    this.#commits = commits;
  }

  /** The count, or null where it has to be loaded first. */
  peek(userId: string): number | null {
    return this.#counts.get(userId) ?? null;
  }

  /** Reads a user's count. Changes during the read are counted on top. */
  load(userId: string): Promise<void> {
    return this.#read(userId, () => this.#store.queuedOf(userId));
  }

  /** Reads a user's count anew, behind everything that is on its way to the disk. */
  recount(userId: string): Promise<void> {
    return this.#read(userId, async () => {
      await new Promise<void>((resolve) => this.#commits.after(resolve));
      return await this.#store.queuedOf(userId);
    });
  }

  add(userId: string, difference: 1 | -1): void {
    const read = this.#reads.get(userId);
    if (read !== undefined) read.changed += difference;
    const count = this.#counts.get(userId);
    if (count === undefined) return;
    // A user without waiting tasks is read again next time: the map stays as small as the set of users that wait.
    if (count + difference <= 0) this.#counts.delete(userId);
    else this.#counts.set(userId, count + difference);
  }

  #read(userId: string, queuedOf: () => Promise<number>): Promise<void> {
    const underWay = this.#reads.get(userId);
    if (underWay !== undefined) return underWay.done;
    const done = queuedOf()
      .then((count) => {
        this.#counts.set(userId, Math.max(0, count + read.changed));
      })
      .finally(() => this.#reads.delete(userId));
    const read = { done, changed: 0 };
    this.#reads.set(userId, read);
    return done;
  }
}
