/** Functions of the PostgreSQL schema, number 1. A group of changes is one call: one round trip and one transaction, however
 *  many changes there are; statement by statement from here a task cost six times as much. Guards are the same as in
 *  `sqlite/change-writer.ts`, and the contract suite holds both to one behaviour.
 *
 *  Rows that everybody shares (counts, the log's position) are locked last and in one order, so servers wait for each other only
 *  during a commit and never in a circle. */
export const SCHEMA_FUNCTIONS = `
CREATE FUNCTION genai.user_seq_of(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
  SELECT user_seq INTO found FROM genai.users WHERE user_id = wanted;
  IF found IS NULL THEN
    INSERT INTO genai.users (user_id) VALUES (wanted) ON CONFLICT DO NOTHING;
    SELECT user_seq INTO found FROM genai.users WHERE user_id = wanted;
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION genai.class_seq_of(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
  SELECT class_seq INTO found FROM genai.classes WHERE class_key = wanted;
  IF found IS NULL THEN
    INSERT INTO genai.classes (class_key) VALUES (wanted) ON CONFLICT DO NOTHING;
    SELECT class_seq INTO found FROM genai.classes WHERE class_key = wanted;
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION genai.remove_task(gone bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO genai.orphaned_artifacts (key)
    SELECT DISTINCT unnest(artifact_keys) FROM genai.tasks WHERE seq = gone ON CONFLICT DO NOTHING;
  DELETE FROM genai.pipelines WHERE task_seq = gone;
  DELETE FROM genai.attempts WHERE task_seq = gone;
  DELETE FROM genai.events WHERE task_seq = gone;
  DELETE FROM genai.outbox WHERE task_seq = gone;
  DELETE FROM genai.tasks WHERE seq = gone;
END $$;

-- Adds what a transaction changed in the counts. Arrays run in parallel; a state of null stands for none.
CREATE FUNCTION genai.add_counts(of_user bigint[], of_state int[], of_delta int[], of_gpu_ms float8[], of_cost float8[],
  of_class bigint[], of_unclaimed int[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM genai.users WHERE user_seq = ANY(of_user) ORDER BY user_seq FOR NO KEY UPDATE;
  UPDATE genai.users u SET queued = queued + d.q, running = running + d.r, succeeded = succeeded + d.s, failed = failed + d.f,
      canceled = canceled + d.c, gpu_ms = gpu_ms + d.gpu, cost = u.cost + d.paid
    FROM (SELECT x.user_seq AS id,
        coalesce(sum(x.delta) FILTER (WHERE x.state = 0), 0) AS q, coalesce(sum(x.delta) FILTER (WHERE x.state = 1), 0) AS r,
        coalesce(sum(x.delta) FILTER (WHERE x.state = 2), 0) AS s, coalesce(sum(x.delta) FILTER (WHERE x.state = 3), 0) AS f,
        coalesce(sum(x.delta) FILTER (WHERE x.state = 4), 0) AS c, sum(x.gpu) AS gpu, sum(x.paid) AS paid
      FROM unnest(of_user, of_state, of_delta, of_gpu_ms, of_cost) AS x (user_seq, state, delta, gpu, paid) GROUP BY 1) d
    WHERE u.user_seq = d.id;
  PERFORM 1 FROM genai.classes WHERE class_seq = ANY(of_class) ORDER BY class_seq FOR NO KEY UPDATE;
  UPDATE genai.classes k SET unclaimed = k.unclaimed + d.delta
    FROM (SELECT x.class_seq AS id, sum(x.delta) AS delta FROM unnest(of_class, of_unclaimed) AS x (class_seq, delta)
      GROUP BY 1 HAVING sum(x.delta) <> 0) d
    WHERE k.class_seq = d.id;
END $$;

-- Applies a group of changes, each guarded by itself. Returns a JSON array with an entry for each change: null (applied, no
-- event), [position, number, userId] (its event), or {"conflict": taskId or null}. A group that was applied before returns what it
-- returned then; one whose id was fenced off raises an error.
CREATE FUNCTION genai.apply_changes(this_group uuid, changes jsonb, server text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  c jsonb; outcomes jsonb[] := '{}'; known text; t record; a record; now_at bigint := genai.now_ms();
  new_seq bigint; u bigint; k bigint; held text; changed int; new_state int; n int := 0; first_position bigint;
  ev_at_index int[] := '{}'; ev_task bigint[] := '{}'; ev_user bigint[] := '{}'; ev_user_id text[] := '{}';
  ev_number int[] := '{}'; ev_at bigint[] := '{}'; ev_state int[] := '{}'; ev_detail text[] := '{}';
  tu bigint[] := '{}'; ts int[] := '{}'; td int[] := '{}'; tg float8[] := '{}'; tc float8[] := '{}';
  ck bigint[] := '{}'; cd int[] := '{}'; gone bigint[] := '{}';
BEGIN
  SELECT g.outcomes INTO known FROM genai.change_groups g WHERE group_id = this_group;
  IF FOUND THEN
    IF known IS NULL THEN RAISE EXCEPTION 'group % was fenced off', this_group USING ERRCODE = 'GN001'; END IF;
    RETURN known;
  END IF;
  FOR c IN SELECT value FROM jsonb_array_elements(changes) LOOP
    n := n + 1;
    outcomes[n] := '{"conflict": null}';
    IF c ->> 'type' = 'taskInserted' THEN
      u := genai.user_seq_of(c ->> 'userId');
      -- A task that is there already leaves its user's keys as they are.
      SELECT count(*) INTO changed FROM genai.tasks WHERE task_id = c ->> 'taskId';
      IF changed > 0 THEN
        SELECT i.task_id INTO held FROM genai.idempotency_keys i JOIN genai.tasks USING (task_id)
          WHERE i.user_seq = u AND key = c ->> 'key' AND i.created_at_ms > now_at - 86400000;
        outcomes[n] := jsonb_build_object('conflict', coalesce(held, c ->> 'taskId'));
        CONTINUE;
      END IF;
      IF c ? 'key' THEN
        INSERT INTO genai.idempotency_keys AS i (user_seq, key, task_id, body_hash, created_at_ms)
          VALUES (u, c ->> 'key', c ->> 'taskId', c ->> 'bodyHash', now_at)
          ON CONFLICT (user_seq, key) DO UPDATE SET task_id = excluded.task_id, body_hash = excluded.body_hash,
            created_at_ms = excluded.created_at_ms WHERE i.created_at_ms <= now_at - 86400000;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed = 0 THEN
          SELECT task_id INTO held FROM genai.idempotency_keys WHERE user_seq = u AND key = c ->> 'key';
          -- A key whose task was deleted is free. Looked at after the wait for another's commit, so that its task is seen.
          UPDATE genai.idempotency_keys SET task_id = c ->> 'taskId', body_hash = c ->> 'bodyHash', created_at_ms = now_at
            WHERE user_seq = u AND key = c ->> 'key' AND task_id = held
              AND NOT EXISTS (SELECT 1 FROM genai.tasks WHERE task_id = held);
          GET DIAGNOSTICS changed = ROW_COUNT;
        END IF;
        IF changed = 0 THEN
          outcomes[n] := jsonb_build_object('conflict', held);
          CONTINUE;
        END IF;
      END IF;
      k := genai.class_seq_of(c ->> 'classKey');
      INSERT INTO genai.tasks (task_id, user_seq, class_seq, format, state, claimed_by, event_number, created_at_ms, fresh,
          order_ms, max_cost, not_before_ms, deadline_at_ms, last_attempt, faults, losses, webhook, spec)
        VALUES (c ->> 'taskId', u, k, 1, 0, CASE WHEN (c -> 'claimed')::bool THEN server END, 1, (c ->> 'atMs')::bigint, 1,
          (c ->> 'orderMs')::bigint, (c ->> 'maxCost')::float8, 0, (c ->> 'deadlineAtMs')::bigint, 0, 0, 0, c ->> 'webhook', c ->> 'spec')
        ON CONFLICT (task_id) DO NOTHING RETURNING seq INTO new_seq;
      IF NOT FOUND THEN
        IF c ? 'key' THEN DELETE FROM genai.idempotency_keys WHERE user_seq = u AND key = c ->> 'key'; END IF;
        outcomes[n] := jsonb_build_object('conflict', c ->> 'taskId');
        CONTINUE;
      END IF;
      INSERT INTO genai.pipelines VALUES (new_seq, c ->> 'pipeline');
      tu := tu || u; ts := ts || 0; td := td || 1; tg := tg || 0::float8; tc := tc || 0::float8;
      IF NOT (c -> 'claimed')::bool THEN ck := ck || k; cd := cd || 1; END IF;
      ev_at_index := ev_at_index || n; ev_task := ev_task || new_seq; ev_user := ev_user || u;
      ev_user_id := ev_user_id || (c ->> 'userId'); ev_number := ev_number || 1;
      ev_at := ev_at || (c ->> 'atMs')::bigint; ev_state := ev_state || 0; ev_detail := ev_detail || (c ->> 'detail');
      CONTINUE;
    END IF;
    IF c ->> 'type' = 'attemptChanged' THEN
      UPDATE genai.attempts p SET state = c ->> 'state', open = CASE WHEN (c -> 'open')::bool THEN 1 ELSE 0 END,
          closed_at_ms = CASE WHEN (c -> 'open')::bool THEN NULL ELSE (c ->> 'atMs')::bigint END,
          gpu_ms = (c ->> 'gpuMs')::float8, abort_reason = c ->> 'abortReason', error = c ->> 'error'
        FROM (SELECT q.task_seq, q.attempt, q.gpu_ms, x.user_seq FROM genai.attempts q JOIN genai.tasks x ON x.seq = q.task_seq
          WHERE q.attempt_id = c ->> 'attemptId' AND q.open = 1 FOR NO KEY UPDATE OF q) o
        WHERE p.task_seq = o.task_seq AND p.attempt = o.attempt
        RETURNING o.user_seq, o.gpu_ms AS gpu_before, p.cost INTO a;
      IF FOUND THEN
        outcomes[n] := 'null';
        tu := tu || a.user_seq; ts := ts || NULL::int; td := td || 0; tg := tg || ((c ->> 'gpuMs')::float8 - a.gpu_before);
        tc := tc || CASE WHEN c ->> 'state' = 'succeeded' THEN a.cost ELSE 0 END;
      END IF;
      CONTINUE;
    END IF;
    IF c ->> 'type' = 'claimReleased' THEN
      outcomes[n] := 'null';
      FOR t IN UPDATE genai.tasks SET claimed_by = NULL
          WHERE task_id IN (SELECT jsonb_array_elements_text(c -> 'taskIds')) AND state = 0 AND claimed_by IS NOT NULL
            AND format <= 1 RETURNING class_seq LOOP
        ck := ck || t.class_seq; cd := cd || 1;
      END LOOP;
      CONTINUE;
    END IF;
    SELECT x.*, users.user_id INTO t FROM genai.tasks x JOIN genai.users USING (user_seq)
      WHERE task_id = c ->> 'taskId' AND format <= 1 FOR NO KEY UPDATE OF x;
    IF NOT FOUND THEN CONTINUE; END IF;
    IF c ->> 'type' = 'taskDeleted' THEN
      IF t.state >= 2 THEN PERFORM genai.remove_task(t.seq); gone := gone || t.seq; outcomes[n] := 'null'; END IF;
      CONTINUE;
    END IF;
    IF t.state >= 2 THEN CONTINUE; END IF;
    CASE c ->> 'type'
      WHEN 'attemptOpened' THEN
        INSERT INTO genai.attempts (task_seq, attempt, attempt_id, node_id, legacy, cost, limit_ms, state, open, opened_at_ms)
          VALUES (t.seq, (c ->> 'attempt')::int, c ->> 'attemptId', c ->> 'nodeId', CASE WHEN (c -> 'legacy')::bool THEN 1 ELSE 0 END,
            (c ->> 'cost')::float8, (c ->> 'limitMs')::bigint, 'assigned', 1, (c ->> 'atMs')::bigint) ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed = 0 THEN
          -- The same one again, by somebody who did not hear that it was committed.
          IF EXISTS (SELECT 1 FROM genai.attempts WHERE task_seq = t.seq AND attempt = (c ->> 'attempt')::int
              AND attempt_id = c ->> 'attemptId' AND open = 1) THEN outcomes[n] := 'null'; END IF;
          CONTINUE;
        END IF;
        new_state := 1;
        UPDATE genai.tasks SET state = 1, claimed_by = server, last_attempt = greatest(last_attempt, (c ->> 'attempt')::int),
          started_at_ms = coalesce(started_at_ms, (c ->> 'atMs')::bigint), event_number = t.event_number + 1 WHERE seq = t.seq;
      WHEN 'taskRequeued' THEN
        new_state := 0;
        UPDATE genai.tasks SET state = 0, fresh = 0, faults = (c ->> 'faults')::int, losses = (c ->> 'losses')::int,
          failed_node_ids = c ->> 'failedNodeIds', not_before_ms = (c ->> 'notBeforeMs')::bigint,
          event_number = t.event_number + 1 WHERE seq = t.seq;
      WHEN 'taskResumed' THEN
        new_state := 1;
        UPDATE genai.tasks SET state = 1, claimed_by = server, event_number = t.event_number + 1 WHERE seq = t.seq;
      WHEN 'taskSettled' THEN
        new_state := (c ->> 'state')::int;
        UPDATE genai.tasks SET state = new_state, claimed_by = NULL, settled_at_ms = (c ->> 'atMs')::bigint,
          artifact_keys = CASE WHEN c ? 'artifactKeys' THEN ARRAY(SELECT jsonb_array_elements_text(c -> 'artifactKeys')) END, artifacts = c ->> 'artifacts', error = c ->> 'error',
          event_number = t.event_number + 1 WHERE seq = t.seq;
        IF t.webhook IS NOT NULL THEN
          INSERT INTO genai.outbox (task_seq, created_at_ms, due_at_ms) VALUES (t.seq, (c ->> 'atMs')::bigint, now_at)
            ON CONFLICT DO NOTHING;
        END IF;
    END CASE;
    IF new_state <> t.state THEN
      tu := tu || t.user_seq || t.user_seq; ts := ts || t.state || new_state; td := td || -1 || 1;
      tg := tg || 0::float8 || 0::float8; tc := tc || 0::float8 || 0::float8;
    END IF;
    IF t.state = 0 AND t.claimed_by IS NULL AND NOT new_state = 0 THEN ck := ck || t.class_seq; cd := cd || -1; END IF;
    IF t.state = 1 AND t.claimed_by IS NULL AND new_state = 0 THEN ck := ck || t.class_seq; cd := cd || 1; END IF;
    ev_at_index := ev_at_index || n; ev_task := ev_task || t.seq; ev_user := ev_user || t.user_seq;
    ev_user_id := ev_user_id || t.user_id; ev_number := ev_number || (t.event_number + 1);
    ev_at := ev_at || (c ->> 'atMs')::bigint; ev_state := ev_state || new_state; ev_detail := ev_detail || (c ->> 'detail');
  END LOOP;
  PERFORM genai.add_counts(tu, ts, td, tg, tc, ck, cd);
  IF cardinality(ev_task) > 0 THEN
    UPDATE genai.counters SET value = value + cardinality(ev_task) WHERE name = 'position'
      RETURNING value - cardinality(ev_task) INTO first_position;
    INSERT INTO genai.events (task_seq, number, position, user_seq, at_ms, state, detail)
      SELECT x.task, x.number, first_position + x.i, x.usr, x.at_ms, x.state, x.detail
      FROM unnest(ev_task, ev_number, ev_user, ev_at, ev_state, ev_detail) WITH ORDINALITY
        AS x (task, number, usr, at_ms, state, detail, i)
      -- A task that ended and was deleted in the same group has no log any more.
      WHERE NOT x.task = ANY(gone);
    FOR i IN 1 .. cardinality(ev_task) LOOP
      outcomes[ev_at_index[i]] := jsonb_build_array(first_position + i, ev_number[i], ev_user_id[i]);
    END LOOP;
  END IF;
  known := to_jsonb(outcomes)::text;
  INSERT INTO genai.change_groups VALUES (this_group, known, now_at);
  RETURN known;
END $$;

-- Gives claims back.
CREATE FUNCTION genai.release_claims(seqs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record; ck bigint[] := '{}'; cd int[] := '{}';
BEGIN
  FOR r IN UPDATE genai.tasks SET claimed_by = NULL WHERE seq = ANY(seqs) AND state = 0 AND claimed_by IS NOT NULL
      RETURNING class_seq LOOP
    ck := ck || r.class_seq; cd := cd || 1;
  END LOOP;
  PERFORM genai.add_counts('{}', '{}', '{}', '{}', '{}', ck, cd);
END $$;

-- Makes sure that none of these groups is applied later: waits for one that is being committed, and puts itself in the place of
-- the others.
CREATE FUNCTION genai.fence(group_ids uuid[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO genai.change_groups SELECT id, NULL, genai.now_ms() FROM unnest(group_ids) id ON CONFLICT DO NOTHING
$$;

-- Gives back whatever a claim took of which nobody knows how it ended, now or later.
CREATE FUNCTION genai.release_group(lost_group uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM genai.fence(ARRAY[lost_group]);
  PERFORM genai.release_claims(ARRAY(SELECT jsonb_array_elements_text(g.outcomes::jsonb -> 'seqs')::bigint
    FROM genai.change_groups g WHERE g.group_id = lost_group AND g.outcomes IS NOT NULL));
  UPDATE genai.change_groups SET outcomes = NULL WHERE group_id = lost_group;
END $$;

-- Takes up to task_limit waiting tasks for a server, round robin over the users, starting behind after_user; each user's own order. At most
-- 1000 users without a task that may be taken are looked at; the next claim goes on behind them.
-- Users are found by skipping through the index from one to the next. Returns {"seqs": […], "after": user}, and writes it
-- down, so that a claim whose connection broke can be given back: release_group.
CREATE FUNCTION genai.claim_tasks(this_group uuid, server text, class_keys text[], task_limit int, cost_min float8,
  after_user bigint) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  asked bigint[]; waiting_users bigint[] := '{}'; hungry bigint[]; u bigint; bound bigint; taken int := 0; room int; share int;
  got int; r record; now_at bigint := genai.now_ms(); ck bigint[] := '{}'; cd int[] := '{}';
  known text; seqs bigint[] := '{}'; served bigint := after_user; skipped int := 0;
BEGIN
  SELECT array_agg(class_seq) INTO asked FROM genai.classes WHERE class_key = ANY(class_keys);
  IF asked IS NULL THEN RETURN json_build_object('seqs', seqs, 'after', after_user); END IF;
  FOREACH bound IN ARRAY ARRAY[9223372036854775807, after_user] LOOP
    u := CASE WHEN bound = after_user THEN 0 ELSE after_user END;
    LOOP
      EXIT WHEN cardinality(waiting_users) >= task_limit OR skipped >= 1000;
      SELECT min(next.user_seq) INTO u FROM unnest(asked) AS k (id) CROSS JOIN LATERAL (
        SELECT t.user_seq FROM genai.tasks t WHERE t.state = 0 AND t.claimed_by IS NULL AND t.format = 1
          AND t.class_seq = k.id AND t.user_seq > u ORDER BY t.user_seq LIMIT 1) next;
      EXIT WHEN u IS NULL OR u > bound;
      IF EXISTS (SELECT 1 FROM genai.tasks t WHERE t.state = 0 AND t.claimed_by IS NULL AND t.format = 1
          AND t.class_seq = ANY(asked) AND t.user_seq = u AND t.max_cost >= cost_min AND t.not_before_ms <= now_at) THEN
        waiting_users := waiting_users || u;
      ELSE
        skipped := skipped + 1;
        served := u;
        EXIT WHEN skipped >= 1000;
      END IF;
    END LOOP;
  END LOOP;
  WHILE cardinality(waiting_users) > 0 AND taken < task_limit LOOP
    share := greatest(1, (task_limit - taken) / cardinality(waiting_users));
    hungry := '{}';
    FOREACH u IN ARRAY waiting_users LOOP
      room := least(share, task_limit - taken);
      EXIT WHEN room = 0;
      got := 0;
      FOR r IN
        WITH heads AS MATERIALIZED (
          SELECT head.seq, head.class_seq, head.fresh, head.order_ms FROM unnest(asked) AS k (id) CROSS JOIN LATERAL (
            SELECT t.seq, t.class_seq, t.fresh, t.order_ms FROM genai.tasks t
            WHERE t.state = 0 AND t.claimed_by IS NULL AND t.format = 1 AND t.class_seq = k.id AND t.user_seq = u
              AND t.max_cost >= cost_min AND t.not_before_ms <= now_at
            ORDER BY t.fresh, t.order_ms, t.seq LIMIT room FOR NO KEY UPDATE SKIP LOCKED) head
          ORDER BY head.fresh, head.order_ms, head.seq LIMIT room),
        won AS (
          UPDATE genai.tasks t SET claimed_by = server FROM heads
          WHERE t.seq = heads.seq AND t.state = 0 AND t.claimed_by IS NULL RETURNING t.seq)
        SELECT heads.seq, heads.class_seq FROM heads JOIN won USING (seq) ORDER BY heads.fresh, heads.order_ms, heads.seq
      LOOP
        got := got + 1;
        ck := ck || r.class_seq; cd := cd || -1;
        seqs := seqs || r.seq; served := u;
      END LOOP;
      taken := taken + got;
      IF got = room THEN hungry := hungry || u; END IF;
    END LOOP;
    waiting_users := hungry;
  END LOOP;
  known := json_build_object('seqs', seqs, 'after', served);
  IF cardinality(seqs) > 0 THEN
    PERFORM genai.add_counts('{}', '{}', '{}', '{}', '{}', ck, cd);
    INSERT INTO genai.change_groups VALUES (this_group, known, now_at);
  END IF;
  RETURN known;
END $$;
`;
