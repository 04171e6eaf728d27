/** A task that may be taken by somebody, whatever it pays: the rows of the index `tasks_waiting`. */
const WAITS = "t.state = 0 AND t.claimed_by IS NULL AND t.format = 1";

/** It pays enough, and its time has come. */
const FITS = "t.max_cost >= cost_min AND t.not_before_ms <= now_at";

/** The same, where a rest that seems to last for longer than ten minutes is none: no fault has so long a one, so it was reckoned by a clock
 *  that was ahead. */
const FITS_BY_ANY_CLOCK = "t.max_cost >= cost_min AND t.not_before_ms - now_at NOT BETWEEN 1 AND 600000";

/** Users with waiting tasks of the classes, once around from the one behind after_user, by skipping through the index from one to the next.
 *  Evaluated row by row: who needs one user looks for one. */
const WALK = `walk (u, lap) AS (
      SELECT after_user, 0
    UNION ALL
      SELECT coalesce(next.u, 0), CASE WHEN next.u IS NULL THEN walk.lap + 1 ELSE walk.lap END
      FROM walk CROSS JOIN LATERAL (
        SELECT min(of_class.user_seq) AS u FROM unnest(asked) AS k (id) CROSS JOIN LATERAL (
          SELECT t.user_seq FROM genai.tasks t WHERE ${WAITS} AND t.class_seq = k.id AND t.user_seq > walk.u
          ORDER BY t.user_seq LIMIT 1) of_class) next
      WHERE walk.lap = 0 OR (walk.lap = 1 AND walk.u <= after_user)),
    users_around AS (
      SELECT walk.u FROM walk
      WHERE (walk.lap = 0 AND walk.u > after_user) OR (walk.lap = 1 AND walk.u > 0 AND walk.u <= after_user))`;

/** The function as a step of the schema makes it. */
const claimTasks = (fits: string): string => `
CREATE OR REPLACE FUNCTION genai.claim_tasks(this_group uuid, server text, class_keys text[], task_limit int, cost_min float8,
  after_user bigint) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  asked bigint[]; waiting_users bigint[]; hungry bigint[]; taken int := 0; share int; got int; last_place bigint;
  r record; now_at bigint := genai.now_ms(); taken_classes bigint[] := '{}';
  known text; seqs bigint[] := '{}'; served bigint := after_user;
BEGIN
  SELECT array_agg(class_seq) INTO asked FROM genai.classes WHERE class_key = ANY(class_keys);
  IF asked IS NULL THEN RETURN json_build_object('seqs', seqs, 'after', after_user); END IF;
  waiting_users := ARRAY(
    WITH RECURSIVE ${WALK}
    SELECT looked.u FROM (SELECT u FROM users_around LIMIT task_limit + 1000) looked
    WHERE EXISTS (
      SELECT 1 FROM unnest(asked) AS k (id) CROSS JOIN LATERAL (
        SELECT 1 FROM genai.tasks t WHERE ${WAITS} AND t.class_seq = k.id AND t.user_seq = looked.u AND ${fits}
        ORDER BY t.fresh, t.order_ms, t.seq LIMIT 1) of_class)
    LIMIT task_limit);
  IF cardinality(waiting_users) = 0 THEN
    WITH RECURSIVE ${WALK}
    SELECT coalesce(max(u), after_user) INTO served FROM (SELECT u FROM users_around OFFSET task_limit + 999 LIMIT 1) last_looked;
  END IF;
  WHILE cardinality(waiting_users) > 0 AND taken < task_limit LOOP
    share := greatest(1, (task_limit - taken) / cardinality(waiting_users));
    hungry := '{}'; got := 0; last_place := 0;
    FOR r IN
      WITH heads AS MATERIALIZED (
        SELECT turn.place, turn.u, head.seq, head.class_seq, head.fresh, head.order_ms
        FROM unnest(waiting_users) WITH ORDINALITY AS turn (u, place) CROSS JOIN LATERAL (
          SELECT of_class.* FROM unnest(asked) AS k (id) CROSS JOIN LATERAL (
            SELECT t.seq, t.class_seq, t.fresh, t.order_ms FROM genai.tasks t
            WHERE ${WAITS} AND t.class_seq = k.id AND t.user_seq = turn.u AND ${fits}
            ORDER BY t.fresh, t.order_ms, t.seq LIMIT share FOR NO KEY UPDATE SKIP LOCKED) of_class
          ORDER BY of_class.fresh, of_class.order_ms, of_class.seq LIMIT share) head
        ORDER BY turn.place, head.fresh, head.order_ms, head.seq LIMIT task_limit - taken),
      won AS (
        UPDATE genai.tasks t SET claimed_by = server FROM heads
        WHERE t.seq = heads.seq AND t.state = 0 AND t.claimed_by IS NULL RETURNING heads.*)
      SELECT won.place, won.u, won.seq, won.class_seq FROM won ORDER BY won.place, won.fresh, won.order_ms, won.seq
    LOOP
      IF r.place <> last_place THEN last_place := r.place; got := 0; END IF;
      got := got + 1;
      IF got = share THEN hungry := hungry || r.u; END IF;
      taken := taken + 1; served := r.u;
      taken_classes := taken_classes || r.class_seq; seqs := seqs || r.seq;
    END LOOP;
    waiting_users := hungry;
  END LOOP;
  known := json_build_object('seqs', seqs, 'after', served);
  IF taken > 0 THEN
    IF cardinality(asked) > 1 THEN
      PERFORM 1 FROM genai.classes WHERE class_seq = ANY(taken_classes) ORDER BY class_seq FOR NO KEY UPDATE;
    END IF;
    UPDATE genai.classes k SET unclaimed = k.unclaimed - d.number
      FROM (SELECT id, count(*) AS number FROM unnest(taken_classes) AS id GROUP BY 1) d WHERE k.class_seq = d.id;
    INSERT INTO genai.change_groups VALUES (this_group, known, now_at);
  END IF;
  RETURN known;
END $$;
`;

/** The same claims as before in a few statements whatever their number: a round is one statement for all users, where each user and each
 *  task had its own. */
export const SCHEMA_CLAIMS = claimTasks(FITS);

/** The step after which no task rests because a clock jumped. */
export const SCHEMA_RESTS = claimTasks(FITS_BY_ANY_CLOCK);
