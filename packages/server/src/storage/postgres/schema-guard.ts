/** The second step: how each webhook fared, and credentials. Triggers, so that the functions of the first step, and older servers
 *  beside this one, need not know of what hangs on an outbox row. */
export const SCHEMA_GUARD = `
ALTER TABLE genai.outbox ADD COLUMN user_seq bigint;
UPDATE genai.outbox SET user_seq = (SELECT user_seq FROM genai.tasks WHERE seq = task_seq);
CREATE FUNCTION genai.set_outbox_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT user_seq INTO new.user_seq FROM genai.tasks WHERE seq = new.task_seq;
  RETURN new;
END $$;
CREATE TRIGGER outbox_owner BEFORE INSERT ON genai.outbox FOR EACH ROW EXECUTE FUNCTION genai.set_outbox_owner();
CREATE INDEX outbox_of_user ON genai.outbox (user_seq, task_seq);
CREATE INDEX outbox_dead ON genai.outbox (task_seq) WHERE status = 'dead';

CREATE TABLE genai.webhook_tries (
  task_seq bigint NOT NULL,
  number int NOT NULL,
  at_ms bigint NOT NULL,
  duration_ms bigint NOT NULL,
  http_status int,
  note text NOT NULL,
  PRIMARY KEY (task_seq, number)
);
CREATE FUNCTION genai.remove_webhook_tries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM genai.webhook_tries WHERE task_seq = old.task_seq;
  RETURN NULL;
END $$;
CREATE TRIGGER outbox_removed AFTER DELETE ON genai.outbox FOR EACH ROW EXECUTE FUNCTION genai.remove_webhook_tries();
CREATE TABLE genai.webhook_stops (key text COLLATE "C" PRIMARY KEY, at_ms bigint NOT NULL);

CREATE SEQUENCE genai.credential_revisions;
CREATE TABLE genai.credentials (
  credential_id text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL,
  secret_hash text COLLATE "C" NOT NULL UNIQUE,
  subject text COLLATE "C" NOT NULL,
  details text NOT NULL,
  created_at_ms bigint NOT NULL,
  expires_at_ms bigint,
  uses_left int,
  revoked_at_ms bigint,
  revision bigint NOT NULL UNIQUE
);
CREATE UNIQUE INDEX one_key_a_node ON genai.credentials (subject) WHERE kind = 'node_key' AND revoked_at_ms IS NULL;
CREATE INDEX credentials_ended ON genai.credentials (coalesce(revoked_at_ms, expires_at_ms))
  WHERE revoked_at_ms IS NOT NULL OR expires_at_ms IS NOT NULL;
`;
