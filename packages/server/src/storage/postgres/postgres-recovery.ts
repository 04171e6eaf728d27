import type { Pool } from "pg";
import { type AttemptRow, decodeAttempt } from "../attempt-row.ts";
import { ATTEMPT_COLUMNS, TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import type { RecoveredBatch, RecoveredTask } from "../recovered-task.ts";
import { decodeTask, ROW_FORMAT, type TaskRow } from "../task-row.ts";
import { inTransaction } from "./transaction.ts";

const BATCH_TASKS = 500;

/** Takes over what servers that are gone held, and, at a start (`mine too`), what this one held before: tasks with an open
 *  attempt stay held, the others wait again. */
export function recoverBatch(
  pool: Pool,
  serverId: string,
  whose: "mine too" | "of the gone",
  after: number,
): Promise<RecoveredBatch> {
  return inTransaction(pool, async (client) => {
    // Ordered by a sum, which no index has: the index of what is held leads there, not the one of all tasks by their numbers.
    const { rows } = await client.query<TaskRow & { seq: number; classSeq: number }>(
      `SELECT seq, tasks.class_seq AS "classSeq", ${TASK_COLUMNS} FROM ${TASK_TABLES}
       WHERE claimed_by IS NOT NULL AND seq > $2
         AND CASE WHEN claimed_by = $1 THEN $3 ELSE
           claimed_by NOT IN (SELECT server_id FROM servers WHERE alive_until_ms > now_ms()) END
       ORDER BY seq + 0 LIMIT ${BATCH_TASKS} FOR NO KEY UPDATE OF tasks SKIP LOCKED`,
      [serverId, after, whose === "mine too"],
    );
    const known = rows.filter((row) => row.format <= ROW_FORMAT);
    const { rows: attempts } = await client.query<AttemptRow & { taskSeq: number }>(
      `SELECT task_seq AS "taskSeq", ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq
       WHERE open = 1 AND task_seq = ANY($1::bigint[]) ORDER BY task_seq, attempt`,
      [known.map((row) => row.seq)],
    );
    const tasks: RecoveredTask[] = [];
    const released: number[] = [];
    for (const row of known) {
      const open = attempts.filter((attempt) => attempt.taskSeq === row.seq).map(decodeAttempt);
      const task = decodeTask(row);
      if (open.length > 0 || task.state === "running") tasks.push({ task, classKey: row.classKey, open });
      else released.push(row.seq);
    }
    const held = known.filter((row) => !released.includes(row.seq)).map((row) => row.seq);
    await client.query("UPDATE tasks SET claimed_by = $1 WHERE seq = ANY($2::bigint[]) AND claimed_by <> $1", [
      serverId,
      held,
    ]);
    await client.query("SELECT release_claims($1::bigint[])", [released]);
    return { tasks, next: rows.length < BATCH_TASKS ? null : (rows.at(-1)?.seq ?? null) };
  });
}
