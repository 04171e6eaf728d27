/** Columns of a {@link TaskRow}; goes with {@link TASK_TABLES}. The names are quoted for PostgreSQL, which folds their case. */
export const TASK_COLUMNS = `task_id AS "taskId", user_id AS "userId", class_key AS "classKey", format, tasks.state,
  event_number AS "eventNumber", tasks.created_at_ms AS "createdAtMs", fresh, max_cost AS "maxCost", not_before_ms AS "notBeforeMs",
  deadline_at_ms AS "deadlineAtMs", last_attempt AS "lastAttempt", faults, losses, failed_node_ids AS "failedNodeIds",
  started_at_ms AS "startedAtMs", settled_at_ms AS "settledAtMs", artifacts, tasks.error, webhook, spec`;

/** What {@link TASK_COLUMNS} come from. */
export const TASK_TABLES = "tasks JOIN users USING (user_seq) JOIN classes USING (class_seq)";

/** Columns of an {@link AttemptRow}, of `attempts JOIN tasks ON tasks.seq = attempts.task_seq`. */
export const ATTEMPT_COLUMNS = `attempt_id AS "attemptId", task_id AS "taskId", attempt, node_id AS "nodeId", legacy, cost,
  limit_ms AS "limitMs", attempts.state, open, opened_at_ms AS "openedAtMs", closed_at_ms AS "closedAtMs", gpu_ms AS "gpuMs",
  abort_reason AS "abortReason", attempts.error`;

/** Columns of an {@link EventRow}, of `events JOIN tasks ON tasks.seq = events.task_seq JOIN users ON users.user_seq = events.user_seq`. */
export const EVENT_COLUMNS = `position, task_id AS "taskId", user_id AS "userId", number, at_ms AS "atMs", events.state, detail`;

export const EVENT_TABLES =
  "events JOIN tasks ON tasks.seq = events.task_seq JOIN users ON users.user_seq = events.user_seq";
