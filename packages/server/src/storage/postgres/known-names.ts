import type { StoreChange } from "../../tasks/task-store.ts";
import { plain } from "./change-argument.ts";

/** Names of each sort that are kept; then all are forgotten. */
const KEPT_NAMES_MAX = 10_000;

/** Users and requirement classes that the database is known to have, so that it need not look for them in each group. */
export class KnownNames {
  readonly #users = new Set<string>();
  readonly #classes = new Set<string>();

  /** What insertions name that is not known, as JSON texts in one order, so that servers do not wait for each other in a circle. */
  newOnes(changes: readonly StoreChange[]): { users?: string[]; classes?: string[] } {
    const [users, classes] = [new Set<string>(), new Set<string>()];
    for (const change of changes) {
      if (change.type !== "taskInserted") continue;
      if (!this.#users.has(change.task.userId)) users.add(plain(change.task.userId));
      if (!this.#classes.has(change.classKey)) classes.add(plain(change.classKey));
    }
    return {
      ...(users.size > 0 && { users: [...users].sort().map((name) => JSON.stringify(name)) }),
      ...(classes.size > 0 && { classes: [...classes].sort().map((name) => JSON.stringify(name)) }),
    };
  }

  /** These changes were committed. */
  committed(changes: readonly StoreChange[]): void {
    for (const change of changes) {
      if (change.type !== "taskInserted") continue;
      keep(this.#users, change.task.userId);
      keep(this.#classes, change.classKey);
    }
  }

  forget(): void {
    this.#users.clear();
    this.#classes.clear();
  }
}

function keep(names: Set<string>, name: string): void {
  if (names.size >= KEPT_NAMES_MAX && !names.has(name)) names.clear();
  names.add(name);
}
