import type { Database, Statement } from "better-sqlite3";
import { REST_MS_MAX } from "../../tasks/rest.ts";
import type { ClaimedTask, ClaimRequest } from "../../tasks/task-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import type { StoreClock } from "../store-clock.ts";
import { decodeTask, type TaskRow } from "../task-row.ts";
import type { Names } from "./names.ts";
import type { Tallies } from "./tallies.ts";

/** A waiting task as the queue's index has it. */
interface Waiting {
  readonly seq: number;
  readonly classSeq: number;
  readonly fresh: number;
  readonly orderMs: number;
}

/** Users without a task that may be taken (all too cheap, or resting) that one claim looks at; the next claim goes on behind them. */
const SKIPPED_USERS_MAX = 1_000;

/** Takes waiting tasks into the window, round robin over the users, inside of the caller's transaction.
 *
 *  Users are found by skipping through the index `tasks_waiting` from one to the next, so a user with a million tasks costs
 *  as much as one with a single task. Each claim goes on behind the user where the last one stopped. */
export class Claims {
  readonly #classes: Names;
  readonly #tallies: Tallies;
  readonly #clock: StoreClock;
  readonly #nextUser: Statement<[number, number], { userSeq: number }>;
  readonly #head: Statement<[number, number, number, number, number], Waiting>;
  readonly #take: Statement<[number]>;
  readonly #read: Statement<[number], TaskRow>;
  #afterUser = 0;

  constructor(database: Database, classes: Names, tallies: Tallies, clock: StoreClock) {
    const waiting = "FROM tasks INDEXED BY tasks_waiting WHERE state = 0 AND claimed = 0 AND format = 1";
    this.#classes = classes;
    this.#tallies = tallies;
    this.#clock = clock;
    this.#nextUser = database.prepare(
      `SELECT user_seq AS userSeq ${waiting} AND class_seq = ? AND user_seq > ? ORDER BY user_seq LIMIT 1`,
    );
    this.#head = database.prepare(
      `SELECT seq, class_seq AS classSeq, fresh, order_ms AS orderMs ${waiting}
         AND class_seq = ? AND user_seq = ? AND max_cost >= ? AND not_before_ms - ? NOT BETWEEN 1 AND ${REST_MS_MAX}
       ORDER BY fresh, order_ms, seq LIMIT ?`,
    );
    this.#take = database.prepare("UPDATE tasks SET claimed = 1 WHERE seq = ?");
    this.#read = database.prepare(`SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES} WHERE seq = ?`);
  }

  claim(request: ClaimRequest): readonly ClaimedTask[] {
    const classSeqs = request.classKeys.map((key) => this.#classes.find(key)).filter((seq) => seq !== null);
    const claimed: ClaimedTask[] = [];
    let users = this.#usersWith(classSeqs, request);
    // Each round gives every user an equal share of what is left; users with less than their share drop out.
    while (users.length > 0 && claimed.length < request.limit) {
      const share = Math.max(1, Math.floor((request.limit - claimed.length) / users.length));
      users = users.filter((userSeq) => {
        const room = Math.min(share, request.limit - claimed.length);
        if (room === 0) return false;
        const heads = this.#headOf(userSeq, classSeqs, request.costMin, room);
        for (const head of heads) claimed.push(this.#claimOne(head));
        if (heads.length > 0) this.#afterUser = userSeq;
        return heads.length === room;
      });
    }
    return claimed;
  }

  /** Up to `limit` users with a task that may be taken, beginning behind the one who was served last. */
  #usersWith(classSeqs: readonly number[], { limit, costMin }: ClaimRequest): number[] {
    const users: number[] = [];
    const start = this.#afterUser;
    let skipped = 0;
    for (const [from, to] of [
      [start, Number.MAX_SAFE_INTEGER],
      [0, start],
    ] as const) {
      let after = from;
      while (users.length < limit) {
        const next = Math.min(...classSeqs.map((seq) => this.#nextUser.get(seq, after)?.userSeq ?? Infinity));
        if (next > to || next === Infinity) break;
        after = next;
        if (this.#headOf(next, classSeqs, costMin, 1).length > 0) users.push(next);
        else if (++skipped === SKIPPED_USERS_MAX) {
          this.#afterUser = next;
          return users;
        }
      }
    }
    return users;
  }

  /** A user's first tasks over all classes that are asked for, in the user's own order. */
  #headOf(userSeq: number, classSeqs: readonly number[], costMin: number, limit: number): readonly Waiting[] {
    const now = this.#clock();
    return classSeqs
      .flatMap((classSeq) => this.#head.all(classSeq, userSeq, costMin, now, limit))
      .sort((a, b) => a.fresh - b.fresh || a.orderMs - b.orderMs || a.seq - b.seq)
      .slice(0, limit);
  }

  #claimOne(head: Waiting): ClaimedTask {
    this.#take.run(head.seq);
    this.#tallies.unclaimed(head.classSeq, -1);
    const row = this.#read.get(head.seq);
    if (!row) throw new Error(`Task row ${head.seq} stands in the queue's index and not in its table.`);
    return { task: decodeTask(row), classKey: row.classKey };
  }
}
