import type { TaskState } from "../tasks/stored-task.ts";
import { TASK_COLUMNS, TASK_TABLES } from "./columns.ts";
import { ROW_FORMAT, STATE_NUMBER } from "./task-row.ts";

/** What stands for the user's id, the id that the list goes on from and the number of rows, in the database's own way. */
interface Places {
  readonly user: string;
  readonly before: string;
  readonly limit: string;
}

/** Reads a user's tasks with ids below the one given, newest first, in the given states or in all (`null`). Rows of a newer version are
 *  left out. Each state is read by itself in the order of its index, and their newest rows are merged in one statement, so that a task
 *  that changes its state meanwhile is neither missed nor listed twice. */
export function tasksBeforeSql(states: readonly TaskState[] | null, { user, before, limit }: Places): string {
  const newest = `WHERE user_seq = (SELECT user_seq FROM users WHERE user_id = ${user})
    AND task_id < ${before} AND format <= ${ROW_FORMAT}`;
  const order = `ORDER BY task_id DESC LIMIT ${limit}`;
  if (states === null) return `SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES} ${newest} ${order}`;
  const ofStates = states.map((state) => {
    const number = STATE_NUMBER[state];
    return `SELECT * FROM (SELECT * FROM tasks ${newest} AND state = ${number} ${order}) AS in_state_${number}`;
  });
  return `SELECT ${TASK_COLUMNS}
    FROM (${ofStates.join(" UNION ALL ")}) AS tasks JOIN users USING (user_seq) JOIN classes USING (class_seq) ${order}`;
}
