/** Large inputs, by triggers: whoever stores or removes a pipeline, a server of an older version too, need not know of it. The number is
 *  `LARGE_INPUT_BYTES`. */
export const SCHEMA_INPUTS = `
CREATE TABLE genai.large_inputs (task_seq bigint PRIMARY KEY, user_seq bigint NOT NULL, bytes bigint NOT NULL);
CREATE INDEX large_inputs_of_user ON genai.large_inputs (user_seq, bytes);
INSERT INTO genai.large_inputs SELECT seq, user_seq, octet_length(pipeline)
  FROM genai.pipelines JOIN genai.tasks ON seq = task_seq WHERE octet_length(pipeline) > 65536;
CREATE FUNCTION genai.note_large_input() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO genai.large_inputs SELECT seq, user_seq, octet_length(new.pipeline) FROM genai.tasks WHERE seq = new.task_seq;
  RETURN NULL;
END $$;
CREATE TRIGGER large_input_stored AFTER INSERT ON genai.pipelines FOR EACH ROW
  WHEN (octet_length(new.pipeline) > 65536) EXECUTE FUNCTION genai.note_large_input();
CREATE FUNCTION genai.forget_large_input() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM genai.large_inputs WHERE task_seq = old.task_seq;
  RETURN NULL;
END $$;
CREATE TRIGGER large_input_removed AFTER DELETE ON genai.pipelines FOR EACH ROW
  WHEN (octet_length(old.pipeline) > 65536) EXECUTE FUNCTION genai.forget_large_input();
`;
