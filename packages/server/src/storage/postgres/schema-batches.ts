import { TASK_STATES } from "../task-row.ts";

/** The columns of every change that moves a task. */
const MOVE = `n int, "taskId" text, "atMs" bigint, detail text`;

/** Tasks that changes of a kind begin at, locked; one that is gone, settled or of a newer format is not among them. A lookup for each, so
 *  that no plan goes through the table, whatever size it had when the plan was made. */
const heads = (kind: string, columns: string): string => `heads AS MATERIALIZED (
        SELECT c.*, t.* FROM jsonb_to_recordset(batch -> '${kind}') AS c (${MOVE}, ${columns}) CROSS JOIN LATERAL (
          SELECT seq, user_seq, class_seq, state AS was, claimed_by, event_number, webhook FROM genai.tasks
          WHERE task_id = c."taskId" AND format <= 1 AND state < 2 LIMIT 1 FOR NO KEY UPDATE) t)`;

/** What moved tasks leave behind: their events, and what they change in the counts. */
const news = (
  to: string,
): string => `array_agg(ROW(h.n, h.seq, h.user_seq, h.class_seq, h.event_number + 1, h."atMs", h.was, ${to},
          CASE WHEN h.claimed_by IS NOT NULL OR (h.was = 0) = (${to} = 0) THEN 0 WHEN h.was = 0 THEN -1 ELSE 1 END,
          h.detail)::genai.task_news)`;

/** Changes that move tasks and nothing else. */
const move = (kind: string, columns: string, to: string, sets: string, also = ""): string => `
    IF batch ? '${kind}' THEN
      WITH ${heads(kind, columns)},
      moved AS (
        UPDATE genai.tasks t SET state = ${to}, ${sets}, event_number = h.event_number + 1 FROM heads h WHERE t.seq = h.seq)${also}
      SELECT ${news(to)} INTO some_news FROM heads h;
      all_news := all_news || some_news;
    END IF;`;

/** The task of a key is stored, or is about to be by an insertion before this one. */
const STANDS = `(EXISTS (SELECT 1 FROM genai.tasks t WHERE t.task_id = i.task_id) OR EXISTS (
                SELECT 1 FROM jsonb_to_recordset(batch -> 'taskInserted') AS b (n int, "taskId" text)
                WHERE b."taskId" = i.task_id AND b.n < r.n AND b.n <> ALL (refused)))`;

/** A submission that was given up: with its counts, and without a word in any log. */
const TAKE_BACK = `
    IF batch ? 'submissionTakenBack' THEN
      FOR r IN
        SELECT c.n, t.* FROM jsonb_to_recordset(batch -> 'submissionTakenBack') AS c (n int, "taskId" text) CROSS JOIN LATERAL (
          SELECT seq, user_seq, class_seq, state, claimed_by FROM genai.tasks WHERE task_id = c."taskId" AND format <= 1 AND state < 2
            AND NOT told AND (claimed_by IS NULL OR claimed_by = server) LIMIT 1 FOR NO KEY UPDATE) t
      LOOP
        PERFORM genai.remove_task(r.seq);
        gone := gone || r.seq; left_by := left_by || r.user_seq; left_state := left_state || r.state;
        IF r.state = 0 AND r.claimed_by IS NULL THEN of_class := of_class || r.class_seq; of_unclaimed := of_unclaimed || -1; END IF;
        outcomes[r.n] := 'null';
      END LOOP;
    END IF;`;

/** What a step of the schema has that those before it had not. */
interface Also {
  /** Whose claims are given back. */
  readonly released: string;
  readonly declared: string;
  readonly kinds: string;
  readonly isCounted: string;
  readonly counted: string;
}

const NOTHING: Also = { released: "claimed_by IS NOT NULL", declared: "", kinds: "", isCounted: "", counted: "" };

/** The function as a step of the schema makes it. */
const applyBatches = (
  create: "CREATE" | "CREATE OR REPLACE",
  also: Also,
): string => `${create} FUNCTION genai.apply_batches(this_group uuid, batches jsonb, total int, server text) RETURNS text LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  batch jsonb; known text; holder text; changed int; r record; item genai.task_news; now_at bigint := genai.now_ms(); last_position bigint;
  outcomes jsonb[] := array_fill('{"conflict": null}'::jsonb, ARRAY[total]);
  some_news genai.task_news[]; all_news genai.task_news[] := '{}'; refused int[]; places int[]; gone bigint[] := '{}';
  used_by bigint[] := '{}'; used_gpu_ms float8[] := '{}'; used_cost float8[] := '{}'; spenders bigint[]; spent_ms float8[]; spent float8[];
  user_ids jsonb; of_class bigint[] := '{}'; of_unclaimed int[] := '{}';${also.declared}
BEGIN
  SELECT g.outcomes INTO known FROM genai.change_groups g WHERE group_id = this_group;
  IF FOUND THEN
    IF known IS NULL THEN RAISE EXCEPTION 'group % was fenced off', this_group USING ERRCODE = 'GN001'; END IF;
    RETURN known;
  END IF;
  FOR batch IN SELECT value FROM jsonb_array_elements(batches) LOOP
    IF batch ? 'users' THEN PERFORM genai.user_seq_of(id) FROM jsonb_array_elements_text(batch -> 'users') AS id; END IF;
    IF batch ? 'classes' THEN PERFORM genai.class_seq_of(id) FROM jsonb_array_elements_text(batch -> 'classes') AS id; END IF;
    IF batch ? 'taskInserted' THEN
      refused := '{}';
      IF batch ? 'keyed' THEN
        FOR r IN
          SELECT c.*, u.user_seq FROM jsonb_to_recordset(batch -> 'taskInserted') AS c (n int, "taskId" text, "userId" text, key text,
            "bodyHash" text)
          CROSS JOIN LATERAL (SELECT user_seq FROM genai.users WHERE user_id = c."userId" LIMIT 1) u WHERE c.key IS NOT NULL ORDER BY c.n
        LOOP
          -- A task that is there already leaves its user's keys as they are.
          SELECT count(*) INTO changed FROM genai.tasks WHERE task_id = r."taskId";
          IF changed > 0 THEN
            SELECT i.task_id INTO holder FROM genai.idempotency_keys i
              WHERE i.user_seq = r.user_seq AND i.key = r.key AND i.created_at_ms > now_at - 86400000 AND ${STANDS};
            outcomes[r.n] := jsonb_build_object('conflict', coalesce(holder, r."taskId"));
            refused := refused || r.n;
            CONTINUE;
          END IF;
          INSERT INTO genai.idempotency_keys AS i (user_seq, key, task_id, body_hash, created_at_ms)
            VALUES (r.user_seq, r.key, r."taskId", r."bodyHash", now_at)
            ON CONFLICT (user_seq, key) DO UPDATE SET task_id = excluded.task_id, body_hash = excluded.body_hash,
              created_at_ms = excluded.created_at_ms WHERE i.created_at_ms <= now_at - 86400000;
          GET DIAGNOSTICS changed = ROW_COUNT;
          CONTINUE WHEN changed > 0;
          SELECT i.task_id INTO holder FROM genai.idempotency_keys i WHERE i.user_seq = r.user_seq AND i.key = r.key;
          -- A key whose task was deleted is free. Looked at after the wait for another's commit, so that its task is seen.
          UPDATE genai.idempotency_keys i SET task_id = r."taskId", body_hash = r."bodyHash", created_at_ms = now_at
            WHERE i.user_seq = r.user_seq AND i.key = r.key AND i.task_id = holder AND NOT ${STANDS};
          GET DIAGNOSTICS changed = ROW_COUNT;
          CONTINUE WHEN changed > 0;
          outcomes[r.n] := jsonb_build_object('conflict', holder);
          refused := refused || r.n;
        END LOOP;
      END IF;
      WITH asked AS MATERIALIZED (
        SELECT c.*, u.user_seq, k.class_seq FROM jsonb_to_recordset(batch -> 'taskInserted') AS c (${MOVE}, "userId" text, "classKey" text,
          claimed bool, "orderMs" bigint, "maxCost" float8, "deadlineAtMs" bigint, webhook text, spec text, pipeline text)
        CROSS JOIN LATERAL (SELECT user_seq FROM genai.users WHERE user_id = c."userId" LIMIT 1) u
        CROSS JOIN LATERAL (SELECT class_seq FROM genai.classes WHERE class_key = c."classKey" LIMIT 1) k
        WHERE c.n <> ALL (refused)),
      stored AS (
        INSERT INTO genai.tasks (task_id, user_seq, class_seq, format, state, claimed_by, event_number, created_at_ms, fresh, order_ms,
          max_cost, not_before_ms, deadline_at_ms, last_attempt, faults, losses, webhook, spec)
        SELECT "taskId", user_seq, class_seq, 1, 0, CASE WHEN claimed THEN server END, 1, "atMs", 1, "orderMs",
          "maxCost", 0, "deadlineAtMs", 0, 0, 0, webhook, spec FROM asked ORDER BY n
        ON CONFLICT (task_id) DO NOTHING RETURNING seq, task_id),
      made AS MATERIALIZED (SELECT asked.*, stored.seq FROM stored JOIN asked ON asked."taskId" = stored.task_id),
      piped AS (INSERT INTO genai.pipelines SELECT seq, pipeline FROM made)
      SELECT array_agg(ROW(n, seq, user_seq, class_seq, 1, "atMs", NULL, 0, CASE WHEN claimed THEN 0 ELSE 1 END, detail)::genai.task_news)
        INTO some_news FROM made;
      all_news := all_news || some_news;
      IF coalesce(cardinality(some_news), 0) + cardinality(refused) < jsonb_array_length(batch -> 'taskInserted') THEN
        FOR r IN
          SELECT c.* FROM jsonb_to_recordset(batch -> 'taskInserted') AS c (n int, "taskId" text, "userId" text, key text)
          WHERE c.n <> ALL (refused) AND NOT EXISTS (SELECT 1 FROM unnest(some_news) f WHERE f.n = c.n)
        LOOP
          IF NOT EXISTS (SELECT 1 FROM genai.tasks t WHERE t.task_id = r."taskId") THEN
            RAISE EXCEPTION 'a user or a class that was known is gone' USING ERRCODE = 'GN002';
          END IF;
          DELETE FROM genai.idempotency_keys i
            WHERE i.user_seq = genai.user_seq_of(r."userId") AND i.key = r.key AND i.task_id = r."taskId";
          outcomes[r.n] := jsonb_build_object('conflict', r."taskId");
        END LOOP;
      END IF;
    END IF;
    IF batch ? 'attemptOpened' THEN
      WITH ${heads("attemptOpened", `attempt int, "attemptId" text, "nodeId" text, legacy bool, cost float8, "limitMs" bigint`)},
      made AS (
        INSERT INTO genai.attempts (task_seq, attempt, attempt_id, node_id, legacy, cost, limit_ms, state, open, opened_at_ms)
        SELECT seq, attempt, "attemptId", "nodeId", CASE WHEN legacy THEN 1 ELSE 0 END, cost, "limitMs", 'assigned', 1, "atMs"
          FROM heads ORDER BY n ON CONFLICT DO NOTHING RETURNING task_seq),
      moved AS (
        UPDATE genai.tasks t SET state = 1, claimed_by = server, last_attempt = greatest(t.last_attempt, h.attempt),
          started_at_ms = coalesce(t.started_at_ms, h."atMs"), event_number = h.event_number + 1
        FROM made JOIN heads h ON h.seq = made.task_seq WHERE t.seq = made.task_seq)
      SELECT ${news("1")} FILTER (WHERE made.task_seq IS NOT NULL),
        array_agg(h.n) FILTER (WHERE made.task_seq IS NULL AND EXISTS (
          -- The same one again, by somebody who did not hear that it was committed.
          SELECT 1 FROM genai.attempts a WHERE a.task_seq = h.seq AND a.attempt = h.attempt AND a.attempt_id = h."attemptId" AND a.open = 1))
        INTO some_news, places FROM heads h LEFT JOIN made ON made.task_seq = h.seq;
      all_news := all_news || some_news;
      FOREACH changed IN ARRAY coalesce(places, '{}') LOOP outcomes[changed] := 'null'; END LOOP;
    END IF;
    IF batch ? 'attemptChanged' THEN
      WITH leased AS MATERIALIZED (
        SELECT c.*, a.*, (SELECT t.user_seq FROM genai.tasks t WHERE t.seq = a.task_seq) AS user_seq
        FROM jsonb_to_recordset(batch -> 'attemptChanged') AS c (n int, "attemptId" text, state text, open bool, "atMs" bigint,
          "gpuMs" float8, "abortReason" text, error text)
        CROSS JOIN LATERAL (
          SELECT task_seq, attempt, gpu_ms AS gpu_before, cost FROM genai.attempts WHERE attempt_id = c."attemptId" AND open = 1
          LIMIT 1 FOR NO KEY UPDATE) a),
      written AS (
        UPDATE genai.attempts p SET state = h.state, open = CASE WHEN h.open THEN 1 ELSE 0 END,
          closed_at_ms = CASE WHEN h.open THEN NULL ELSE h."atMs" END, gpu_ms = h."gpuMs", abort_reason = h."abortReason", error = h.error
        FROM leased h WHERE p.task_seq = h.task_seq AND p.attempt = h.attempt)
      SELECT array_agg(h.n), array_agg(h.user_seq), array_agg(h."gpuMs" - h.gpu_before),
        array_agg(CASE WHEN h.state = 'succeeded' THEN h.cost ELSE 0 END) INTO places, spenders, spent_ms, spent FROM leased h;
      FOREACH changed IN ARRAY coalesce(places, '{}') LOOP outcomes[changed] := 'null'; END LOOP;
      used_by := used_by || spenders; used_gpu_ms := used_gpu_ms || spent_ms; used_cost := used_cost || spent;
    END IF;
    ${move(
      "taskRequeued",
      `faults int, losses int, "failedNodeIds" text, "notBeforeMs" bigint`,
      "0",
      `fresh = 0, faults = h.faults, losses = h.losses, failed_node_ids = h."failedNodeIds", not_before_ms = h."notBeforeMs"`,
    )}
    ${move("taskResumed", "attempt int", "1", "claimed_by = server")}
    ${move(
      "taskSettled",
      `state int, "artifactKeys" jsonb, artifacts text, error text`,
      "h.state",
      `claimed_by = NULL, settled_at_ms = h."atMs", artifacts = h.artifacts, error = h.error,
          artifact_keys = CASE WHEN h."artifactKeys" IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(h."artifactKeys")) END`,
      `,
      told AS (
        INSERT INTO genai.outbox (task_seq, created_at_ms, due_at_ms) SELECT seq, "atMs", now_at FROM heads WHERE webhook IS NOT NULL
        ON CONFLICT DO NOTHING)`,
    )}
    IF batch ? 'claimReleased' THEN
      FOR r IN UPDATE genai.tasks SET claimed_by = NULL
          WHERE task_id IN (SELECT jsonb_array_elements_text(c -> 'taskIds') FROM jsonb_array_elements(batch -> 'claimReleased') c)
            AND state = 0 AND ${also.released} AND format <= 1 RETURNING class_seq LOOP
        of_class := of_class || r.class_seq; of_unclaimed := of_unclaimed || 1;
      END LOOP;
      FOR r IN SELECT (c -> 'n')::int AS n FROM jsonb_array_elements(batch -> 'claimReleased') c LOOP outcomes[r.n] := 'null'; END LOOP;
    END IF;
    IF batch ? 'taskDeleted' THEN
      FOR r IN
        SELECT c.n, t.seq FROM jsonb_to_recordset(batch -> 'taskDeleted') AS c (n int, "taskId" text) CROSS JOIN LATERAL (
          SELECT seq FROM genai.tasks WHERE task_id = c."taskId" AND format <= 1 AND state >= 2 LIMIT 1 FOR NO KEY UPDATE) t
      LOOP
        PERFORM genai.remove_task(r.seq);
        gone := gone || r.seq;
        outcomes[r.n] := 'null';
      END LOOP;
    END IF;${also.kinds}
  END LOOP;
  IF cardinality(all_news) > 0 OR cardinality(used_by) > 0${also.isCounted} THEN
    WITH deltas AS (
      SELECT x.user_seq, ${TASK_STATES.map((name, state) => `count(*) FILTER (WHERE x.state = ${state}) - count(*) FILTER (WHERE x.was = ${state}) AS ${name}`).join(",\n        ")},
        sum(x.gpu) AS gpu, sum(x.paid) AS paid
      FROM (
        SELECT w.user_seq, w.was, w.state, 0::float8 AS gpu, 0::float8 AS paid FROM unnest(all_news) w
        UNION ALL SELECT w.usr, NULL, NULL, w.gpu, w.paid FROM unnest(used_by, used_gpu_ms, used_cost) AS w (usr, gpu, paid)${also.counted}) x
      GROUP BY 1 ORDER BY 1),
    counted AS MATERIALIZED (
      SELECT d.*, u.user_id FROM deltas d CROSS JOIN LATERAL (
        SELECT user_id FROM genai.users WHERE user_seq = d.user_seq LIMIT 1 FOR NO KEY UPDATE) u),
    written AS (
      UPDATE genai.users u SET ${TASK_STATES.map((name) => `${name} = u.${name} + d.${name}`).join(", ")},
        gpu_ms = u.gpu_ms + d.gpu, cost = u.cost + d.paid FROM counted d WHERE u.user_seq = d.user_seq)
    SELECT jsonb_object_agg(user_seq, user_id) INTO user_ids FROM counted;
  END IF;
  FOREACH item IN ARRAY all_news LOOP
    IF item.unclaimed <> 0 THEN of_class := of_class || item.class_seq; of_unclaimed := of_unclaimed || item.unclaimed; END IF;
  END LOOP;
  IF cardinality(of_class) > 0 THEN PERFORM genai.add_counts('{}', '{}', '{}', '{}', '{}', of_class, of_unclaimed); END IF;
  IF cardinality(all_news) > 0 THEN
    UPDATE genai.counters SET value = value + cardinality(all_news) WHERE name = 'position'
      RETURNING value - cardinality(all_news) INTO last_position;
    all_news := ARRAY(SELECT x FROM unnest(all_news) x ORDER BY x.n);
    INSERT INTO genai.events (task_seq, number, position, user_seq, at_ms, state, detail)
      SELECT x.seq, x.number, last_position + x.place, x.user_seq, x.at_ms, x.state, x.detail
      FROM unnest(all_news) WITH ORDINALITY AS x (n, seq, user_seq, class_seq, number, at_ms, was, state, unclaimed, detail, place)
      -- A task that ended and was deleted in the same group has no log any more.
      WHERE x.seq <> ALL (gone);
    FOREACH item IN ARRAY all_news LOOP
      last_position := last_position + 1;
      outcomes[item.n] := jsonb_build_array(last_position, item.number, user_ids -> (item.user_seq::text));
    END LOOP;
  END IF;
  known := to_jsonb(outcomes)::text;
  INSERT INTO genai.change_groups VALUES (this_group, known, now_at);
  RETURN known;
END $$;
`;

/** Applies a group of changes kind by kind: a group costs about ten statements however many tasks are in it, where each change of each task
 *  had several of its own (\`apply_changes\`, which servers of an older version still call).
 *
 *  - \`batches\` are objects of arrays of changes by kind, with \`keyed\` where an insertion has a key of idempotency, and the \`users\` and
 *    \`classes\` that may be new. Inside of a batch the changes' order must not matter but for that of the kinds below.
 *  - \`n\` is a change's place in the group, from 1 to \`total\`.
 *  - Answers, guards and fences are those of \`apply_changes\`. */
export const SCHEMA_BATCHES = `
CREATE TYPE genai.task_news AS (n int, seq bigint, user_seq bigint, class_seq bigint, number int, at_ms bigint, was int, state int,
  unclaimed int, detail text);

${applyBatches("CREATE", NOTHING)}`;

const TAKEN_BACK: Also = {
  ...NOTHING,
  declared: " left_by bigint[] := '{}'; left_state int[] := '{}';",
  kinds: TAKE_BACK,
  isCounted: " OR cardinality(left_by) > 0",
  counted: `
        UNION ALL SELECT w.usr, w.state, NULL, 0, 0 FROM unnest(left_by, left_state) AS w (usr, state)`,
};

/** The step that can take a submission back in one guarded change. `told`: somebody was told of the task by a repeat of its submission. */
export const SCHEMA_TAKE_BACK = `
ALTER TABLE genai.tasks ADD COLUMN told boolean NOT NULL DEFAULT false;

${applyBatches("CREATE OR REPLACE", TAKEN_BACK)}`;

/** The step after which a server gives back its own claims alone. One that was away for longer than its lease may give back what another
 *  has claimed since. */
export const SCHEMA_OWN_CLAIMS = `
CREATE FUNCTION genai.release_group(lost_group uuid, server text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM genai.fence(ARRAY[lost_group]);
  PERFORM genai.release_claims(ARRAY(
    SELECT t.seq FROM genai.tasks t WHERE t.claimed_by = server AND t.seq = ANY(ARRAY(
      SELECT jsonb_array_elements_text(g.outcomes::jsonb -> 'seqs')::bigint
      FROM genai.change_groups g WHERE g.group_id = lost_group AND g.outcomes IS NOT NULL))
    FOR NO KEY UPDATE));
  UPDATE genai.change_groups SET outcomes = NULL WHERE group_id = lost_group;
END $$;

${applyBatches("CREATE OR REPLACE", { ...TAKEN_BACK, released: "claimed_by = server" })}`;
