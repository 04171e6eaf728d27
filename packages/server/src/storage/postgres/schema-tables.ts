/** Tables of the PostgreSQL schema, number 1. The same as SQLite's in `sqlite/migrations.ts` but for what several servers need:
 *  a claim names its server, a server says until when it lives, and a group of changes leaves its outcome, so that one whose
 *  connection broke can ask what became of it. Instants are milliseconds since 1970; ids sort by their bytes. */
export const SCHEMA_TABLES = `
CREATE TABLE genai.counters (name text PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO genai.counters VALUES ('position', 0);
CREATE TABLE genai.pings (server_id text PRIMARY KEY, at_ms bigint NOT NULL) WITH (fillfactor = 10);

CREATE TABLE genai.servers (
  server_id text PRIMARY KEY,
  alive_until_ms bigint NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE genai.change_groups (
  group_id uuid PRIMARY KEY,
  outcomes text,
  at_ms bigint NOT NULL
);
CREATE INDEX change_groups_by_age ON genai.change_groups (at_ms);

CREATE TABLE genai.users (
  user_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL UNIQUE,
  queued bigint NOT NULL DEFAULT 0,
  running bigint NOT NULL DEFAULT 0,
  succeeded bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  canceled bigint NOT NULL DEFAULT 0,
  gpu_ms float8 NOT NULL DEFAULT 0,
  cost float8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE genai.classes (
  class_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  class_key text COLLATE "C" NOT NULL UNIQUE,
  unclaimed bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE genai.tasks (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text COLLATE "C" NOT NULL UNIQUE,
  user_seq bigint NOT NULL,
  class_seq bigint NOT NULL,
  format int NOT NULL,
  state int NOT NULL,
  claimed_by text,
  event_number int NOT NULL,
  created_at_ms bigint NOT NULL,
  fresh int NOT NULL,
  order_ms bigint NOT NULL,
  max_cost float8 NOT NULL,
  not_before_ms bigint NOT NULL,
  deadline_at_ms bigint,
  last_attempt int NOT NULL,
  faults int NOT NULL,
  losses int NOT NULL,
  failed_node_ids text,
  started_at_ms bigint,
  settled_at_ms bigint,
  artifact_keys text[],
  artifacts text,
  error text,
  webhook text,
  spec text NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX tasks_of_user ON genai.tasks (user_seq, task_id);
CREATE INDEX tasks_waiting ON genai.tasks (class_seq, user_seq, fresh, order_ms, seq)
  WHERE state = 0 AND claimed_by IS NULL AND format = 1;
CREATE INDEX tasks_claimed ON genai.tasks (claimed_by, seq) WHERE claimed_by IS NOT NULL;
CREATE INDEX tasks_expiring ON genai.tasks (deadline_at_ms)
  WHERE state = 0 AND claimed_by IS NULL AND format = 1 AND deadline_at_ms IS NOT NULL;
CREATE INDEX tasks_with_artifacts ON genai.tasks (settled_at_ms) WHERE artifact_keys IS NOT NULL;

CREATE TABLE genai.pipelines (task_seq bigint PRIMARY KEY, pipeline text NOT NULL);

CREATE TABLE genai.attempts (
  task_seq bigint NOT NULL,
  attempt int NOT NULL,
  attempt_id text COLLATE "C" NOT NULL UNIQUE,
  node_id text NOT NULL,
  legacy int NOT NULL,
  cost float8 NOT NULL,
  limit_ms bigint NOT NULL,
  state text NOT NULL,
  open int NOT NULL,
  opened_at_ms bigint NOT NULL,
  closed_at_ms bigint,
  gpu_ms float8 NOT NULL DEFAULT 0,
  abort_reason text,
  error text,
  PRIMARY KEY (task_seq, attempt)
) WITH (fillfactor = 80);

CREATE TABLE genai.events (
  task_seq bigint NOT NULL,
  number int NOT NULL,
  position bigint NOT NULL,
  user_seq bigint NOT NULL,
  at_ms bigint NOT NULL,
  state int NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (task_seq, number)
);
CREATE INDEX events_of_user ON genai.events (user_seq, position);

CREATE TABLE genai.idempotency_keys (
  user_seq bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  task_id text NOT NULL,
  body_hash text NOT NULL,
  created_at_ms bigint NOT NULL,
  PRIMARY KEY (user_seq, key)
);
CREATE INDEX idempotency_keys_by_age ON genai.idempotency_keys (created_at_ms);

CREATE TABLE genai.outbox (
  task_seq bigint PRIMARY KEY,
  created_at_ms bigint NOT NULL,
  status text NOT NULL DEFAULT 'due',
  due_at_ms bigint,
  tries int NOT NULL DEFAULT 0,
  note text NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON genai.outbox (due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE genai.orphaned_artifacts (key text COLLATE "C" PRIMARY KEY);
CREATE TABLE genai.documents (name text PRIMARY KEY, text text NOT NULL);

CREATE FUNCTION genai.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;
`;
