import { LARGE_INPUT_BYTES } from "../../tasks/large-inputs.ts";

/** What must hold in a store at any moment, as questions whose answer is a number of violations. The same SQL runs on both
 *  databases; `unclaimed` is how each says that a task is in no window. */
export function audits(unclaimed: "claimed = 0" | "claimed_by IS NULL"): readonly Audit[] {
  return [
    {
      // An ended task's may be gone: it was large, and kept no longer.
      finding: "Tasks without their pipeline that have not ended",
      sql: "SELECT count(*) AS found FROM tasks WHERE state < 2 AND seq NOT IN (SELECT task_seq FROM pipelines)",
    },
    {
      finding: "Large inputs that are not counted, or counted and not there",
      sql: `SELECT (SELECT count(*) FROM large_inputs WHERE task_seq NOT IN
                (SELECT task_seq FROM pipelines WHERE octet_length(pipeline) > ${LARGE_INPUT_BYTES}))
              + (SELECT count(*) FROM pipelines WHERE octet_length(pipeline) > ${LARGE_INPUT_BYTES}
                AND task_seq NOT IN (SELECT task_seq FROM large_inputs)) AS found`,
    },
    {
      finding: "Attempts, events or webhooks of no task",
      sql: `SELECT count(*) AS found FROM (SELECT task_seq FROM attempts UNION ALL SELECT task_seq FROM events
              UNION ALL SELECT task_seq FROM outbox) parts WHERE task_seq NOT IN (SELECT seq FROM tasks)`,
    },
    {
      finding: "Tasks whose log has a gap",
      sql: `SELECT count(*) AS found FROM tasks LEFT JOIN (SELECT task_seq, count(*) AS n, max(number) AS last FROM events
              GROUP BY task_seq) log ON log.task_seq = tasks.seq
            WHERE log.n IS NULL OR log.n <> event_number OR log.last <> event_number`,
    },
    {
      finding: "Positions of the log used twice",
      sql: "SELECT count(*) AS found FROM (SELECT position FROM events GROUP BY position HAVING count(*) > 1) twice",
    },
    {
      finding: "Tasks with two accepted results",
      sql: `SELECT count(*) AS found FROM (SELECT task_seq FROM attempts WHERE state = 'succeeded' GROUP BY task_seq
              HAVING count(*) > 1) twice`,
    },
    {
      finding: "Tasks that ended twice in their log",
      sql: "SELECT count(*) AS found FROM (SELECT task_seq FROM events WHERE state >= 2 GROUP BY task_seq HAVING count(*) > 1) twice",
    },
    {
      finding: "Ended tasks whose webhook was never entered",
      sql: `SELECT count(*) AS found FROM tasks WHERE state >= 2 AND webhook IS NOT NULL
              AND seq NOT IN (SELECT task_seq FROM outbox)`,
    },
    {
      finding: "Users whose waiting or running tasks are miscounted",
      sql: `SELECT count(*) AS found FROM users LEFT JOIN (SELECT user_seq, sum(CASE WHEN state = 0 THEN 1 ELSE 0 END) AS q,
              sum(CASE WHEN state = 1 THEN 1 ELSE 0 END) AS r FROM tasks GROUP BY user_seq) held ON held.user_seq = users.user_seq
            WHERE queued <> coalesce(held.q, 0) OR running <> coalesce(held.r, 0)`,
    },
    {
      finding: "Requirement classes whose waiting tasks are miscounted",
      sql: `SELECT count(*) AS found FROM classes LEFT JOIN (SELECT class_seq, count(*) AS n FROM tasks
              WHERE state = 0 AND ${unclaimed} GROUP BY class_seq) held ON held.class_seq = classes.class_seq
            WHERE unclaimed <> coalesce(held.n, 0)`,
    },
  ];
}

export interface Audit {
  /** What a number above zero counts, as the beginning of a sentence. */
  readonly finding: string;
  /** Selects one row with one column, `found`. */
  readonly sql: string;
}
