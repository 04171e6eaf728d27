import type { Database, Statement } from "better-sqlite3";
import { type AttemptRow, decodeAttempt } from "../attempt-row.ts";
import { ATTEMPT_COLUMNS, TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import type { RecoveredBatch, RecoveredTask } from "../recovered-task.ts";
import { decodeTask, ROW_FORMAT, type TaskRow } from "../task-row.ts";
import type { Tallies } from "./tallies.ts";

/** Tasks of one batch: small enough that a start stays responsive. */
const BATCH_TASKS = 500;

/** Goes through what the process before this one held, inside of the caller's transactions: tasks with an open attempt stay
 *  held, the others wait again. It reads the index of held tasks alone, so the size of the queue does not matter. */
export class Recovery {
  readonly #tallies: Tallies;
  readonly #held: Statement<[number], TaskRow & { seq: number; classSeq: number }>;
  readonly #open: Statement<[number], AttemptRow>;
  readonly #release: Statement<[number]>;

  constructor(database: Database, tallies: Tallies) {
    this.#tallies = tallies;
    this.#held = database.prepare(
      `SELECT seq, tasks.class_seq AS classSeq, ${TASK_COLUMNS} FROM ${TASK_TABLES}
       WHERE claimed = 1 AND seq > ? ORDER BY seq LIMIT ${BATCH_TASKS}`,
    );
    this.#open = database.prepare(
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq
       WHERE task_seq = ? AND open = 1 ORDER BY attempt`,
    );
    this.#release = database.prepare("UPDATE tasks SET claimed = 0 WHERE seq = ?");
  }

  batchAfter(after: number): RecoveredBatch {
    const rows = this.#held.all(after);
    const tasks: RecoveredTask[] = [];
    for (const row of rows) {
      if (row.format > ROW_FORMAT) continue;
      const open = this.#open.all(row.seq).map(decodeAttempt);
      const task = decodeTask(row);
      if (open.length > 0 || task.state === "running") tasks.push({ task, classKey: row.classKey, open });
      else {
        this.#release.run(row.seq);
        this.#tallies.unclaimed(row.classSeq, 1);
      }
    }
    return { tasks, next: rows.length < BATCH_TASKS ? null : (rows.at(-1)?.seq ?? null) };
  }
}
