/** A step of the schema. Steps are numbered from 1, only ever appended, and never edited once they were released. */
export interface Migration {
  readonly number: number;
  readonly sql: string;
}

/** The SQLite schema.
 *
 *  - `users` and `classes` give long names a number, and carry what is counted about them, kept in the transaction of each
 *    change: a start counts nothing, however many tasks wait.
 *  - `tasks_waiting` is the queue: for each class its users, for each user their tasks in their own order.
 *  - `tasks_claimed` is what this server holds; a start goes through these alone.
 *  - States are numbered as in `TASK_STATES`; `format` as in `ROW_FORMAT`; `fresh` is 0 for a task that was handed back. */
export const SQLITE_MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    sql: `
CREATE TABLE users (
  user_seq INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL UNIQUE,
  queued INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  canceled INTEGER NOT NULL DEFAULT 0,
  gpu_ms REAL NOT NULL DEFAULT 0,
  cost REAL NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE classes (
  class_seq INTEGER PRIMARY KEY,
  class_key TEXT NOT NULL UNIQUE,
  unclaimed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX classes_waiting ON classes (class_key, unclaimed) WHERE unclaimed > 0;

CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL UNIQUE,
  user_seq INTEGER NOT NULL REFERENCES users,
  class_seq INTEGER NOT NULL REFERENCES classes,
  format INTEGER NOT NULL,
  state INTEGER NOT NULL,
  claimed INTEGER NOT NULL,
  event_number INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  fresh INTEGER NOT NULL,
  order_ms INTEGER NOT NULL,
  max_cost REAL NOT NULL,
  not_before_ms INTEGER NOT NULL,
  deadline_at_ms INTEGER,
  last_attempt INTEGER NOT NULL,
  faults INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  failed_node_ids TEXT,
  started_at_ms INTEGER,
  settled_at_ms INTEGER,
  keeps_artifacts INTEGER NOT NULL DEFAULT 0,
  artifacts TEXT,
  error TEXT,
  webhook TEXT,
  spec TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_of_user ON tasks (user_seq, task_id);
CREATE INDEX tasks_waiting ON tasks (class_seq, user_seq, fresh, order_ms, seq, max_cost, not_before_ms)
  WHERE state = 0 AND claimed = 0 AND format = 1;
CREATE INDEX tasks_claimed ON tasks (seq) WHERE claimed = 1;
CREATE INDEX tasks_expiring ON tasks (deadline_at_ms)
  WHERE state = 0 AND claimed = 0 AND format = 1 AND deadline_at_ms IS NOT NULL;
CREATE INDEX tasks_with_artifacts ON tasks (settled_at_ms) WHERE keeps_artifacts = 1;

CREATE TABLE pipelines (
  task_seq INTEGER PRIMARY KEY,
  pipeline TEXT NOT NULL
) STRICT;

CREATE TABLE attempts (
  task_seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  attempt_id TEXT NOT NULL UNIQUE,
  node_id TEXT NOT NULL,
  legacy INTEGER NOT NULL,
  cost REAL NOT NULL,
  limit_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  open INTEGER NOT NULL,
  opened_at_ms INTEGER NOT NULL,
  closed_at_ms INTEGER,
  gpu_ms REAL NOT NULL DEFAULT 0,
  abort_reason TEXT,
  error TEXT,
  PRIMARY KEY (task_seq, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  task_seq INTEGER NOT NULL,
  number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  user_seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  state INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (task_seq, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_of_user ON events (user_seq, position);

CREATE TABLE idempotency_keys (
  user_seq INTEGER NOT NULL,
  key TEXT NOT NULL,
  task_id TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (user_seq, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);

CREATE TABLE outbox (
  task_seq INTEGER PRIMARY KEY,
  created_at_ms INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'due',
  due_at_ms INTEGER,
  tries INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE orphaned_artifacts (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE documents (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('position', 0), ('pings', 0);
`,
  },
  {
    number: 2,
    // Triggers, so that whoever writes or removes an outbox row need not know of what hangs on it.
    sql: `
ALTER TABLE outbox ADD COLUMN user_seq INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET user_seq = (SELECT user_seq FROM tasks WHERE seq = task_seq);
CREATE TRIGGER outbox_owner AFTER INSERT ON outbox BEGIN
  UPDATE outbox SET user_seq = (SELECT user_seq FROM tasks WHERE seq = new.task_seq) WHERE task_seq = new.task_seq;
END;
CREATE INDEX outbox_of_user ON outbox (user_seq, task_seq);
CREATE INDEX outbox_dead ON outbox (task_seq) WHERE status = 'dead';

CREATE TABLE webhook_tries (
  task_seq INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  http_status INTEGER,
  note TEXT NOT NULL,
  PRIMARY KEY (task_seq, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER outbox_removed AFTER DELETE ON outbox BEGIN
  DELETE FROM webhook_tries WHERE task_seq = old.task_seq;
END;
CREATE TABLE webhook_stops (key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
  credential_id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  secret_hash TEXT NOT NULL UNIQUE,
  subject TEXT NOT NULL,
  details TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  uses_left INTEGER,
  revoked_at_ms INTEGER,
  revision INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_key_a_node ON credentials (subject) WHERE kind = 'node_key' AND revoked_at_ms IS NULL;
CREATE INDEX credentials_ended ON credentials (coalesce(revoked_at_ms, expires_at_ms))
  WHERE revoked_at_ms IS NOT NULL OR expires_at_ms IS NOT NULL;
INSERT INTO counters VALUES ('credentials', 0);
`,
  },
  {
    number: 3,
    // A list of one state looks through that state's tasks alone.
    sql: "CREATE INDEX tasks_of_user_by_state ON tasks (user_seq, state, task_id);",
  },
  {
    number: 4,
    // Somebody was told of the task by a repeat of its submission.
    sql: "ALTER TABLE tasks ADD COLUMN told INTEGER NOT NULL DEFAULT 0;",
  },
  {
    number: 5,
    // By a trigger, so that whoever stores a pipeline need not know of it. The number is `LARGE_INPUT_BYTES`.
    sql: `
CREATE TABLE large_inputs (task_seq INTEGER PRIMARY KEY, user_seq INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
CREATE INDEX large_inputs_of_user ON large_inputs (user_seq, bytes);
INSERT INTO large_inputs SELECT seq, user_seq, octet_length(pipeline)
  FROM pipelines JOIN tasks ON seq = task_seq WHERE octet_length(pipeline) > 65536;
CREATE TRIGGER large_input_stored AFTER INSERT ON pipelines WHEN octet_length(new.pipeline) > 65536 BEGIN
  INSERT INTO large_inputs SELECT seq, user_seq, octet_length(new.pipeline) FROM tasks WHERE seq = new.task_seq;
END;
`,
  },
];
