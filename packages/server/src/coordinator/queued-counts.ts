import type { TaskStore } from "../tasks/task-store.ts";

/** How many waiting tasks each user has, read from the store at a user's first submission and counted from then on. */
export class QueuedCounts {
  readonly #store: Pick<TaskStore, "queuedOf">;
  readonly #counts = new Map<string, number>();
  readonly #loading = new Map<string, Promise<void>>();

  constructor(store: Pick<TaskStore, "queuedOf">) {
    this.#store = store;
  }

  /** The count, or null where it has to be loaded first. */
  peek(userId: string): number | null {
    return this.#counts.get(userId) ?? null;
  }

  /** Reads a user's count. Changes during the read are counted on top. */
  load(userId: string): Promise<void> {
    let loading = this.#loading.get(userId);
    if (loading === undefined) {
      loading = this.#store
        .queuedOf(userId)
        .then((count) => {
          if (!this.#counts.has(userId)) this.#counts.set(userId, count);
        })
        .finally(() => this.#loading.delete(userId));
      this.#loading.set(userId, loading);
    }
    return loading;
  }

  add(userId: string, difference: 1 | -1): void {
    const count = this.#counts.get(userId);
    if (count === undefined) return;
    // A user without waiting tasks is read again next time: the map stays as small as the set of users that wait.
    if (count + difference <= 0) this.#counts.delete(userId);
    else this.#counts.set(userId, count + difference);
  }
}
