import type { Database, Statement } from "better-sqlite3";
import type { TaskState } from "../../tasks/stored-task.ts";
import { TASK_STATES } from "../task-row.ts";

interface UserTally {
  /** By number of state. */
  readonly tasks: [number, number, number, number, number];
  gpuMs: number;
  cost: number;
}

/** What a transaction changes in the counts of users and classes, written once at its end: a turn with a hundred tasks of
 *  one user costs one update. */
export class Tallies {
  readonly #users = new Map<number, UserTally>();
  readonly #classes = new Map<number, number>();
  readonly #addToUser: Statement<[number, number, number, number, number, number, number, number]>;
  readonly #addToClass: Statement<[number, number]>;

  constructor(database: Database) {
    const counts = TASK_STATES.map((state: TaskState) => `${state} = ${state} + ?`).join(", ");
    this.#addToUser = database.prepare(
      `UPDATE users SET ${counts}, gpu_ms = gpu_ms + ?, cost = cost + ? WHERE user_seq = ?`,
    );
    this.#addToClass = database.prepare("UPDATE classes SET unclaimed = unclaimed + ? WHERE class_seq = ?");
  }

  /** `delta` tasks more in a state, by its number. */
  tasks(userSeq: number, state: number, delta: 1 | -1): void {
    const tasks = this.#user(userSeq).tasks;
    tasks[state as 0 | 1 | 2 | 3 | 4] += delta;
  }

  usage(userSeq: number, gpuMs: number, cost: number): void {
    const user = this.#user(userSeq);
    user.gpuMs += gpuMs;
    user.cost += cost;
  }

  unclaimed(classSeq: number, delta: 1 | -1): void {
    this.#classes.set(classSeq, (this.#classes.get(classSeq) ?? 0) + delta);
  }

  /** Writes and clears them; the last step before a commit. */
  flush(): void {
    for (const [userSeq, { tasks, gpuMs, cost }] of this.#users) {
      if (tasks.some((delta) => delta !== 0) || gpuMs !== 0 || cost !== 0) {
        this.#addToUser.run(...tasks, gpuMs, cost, userSeq);
      }
    }
    for (const [classSeq, delta] of this.#classes) if (delta !== 0) this.#addToClass.run(delta, classSeq);
    this.clear();
  }

  clear(): void {
    this.#users.clear();
    this.#classes.clear();
  }

  #user(userSeq: number): UserTally {
    let user = this.#users.get(userSeq);
    if (!user) {
      user = { tasks: [0, 0, 0, 0, 0], gpuMs: 0, cost: 0 };
      this.#users.set(userSeq, user);
    }
    return user;
  }
}
