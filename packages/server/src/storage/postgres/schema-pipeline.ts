/** A group that was sent before the answer to the group in front of it was known: it is applied where that one was, and nowhere else. */
export const SCHEMA_PIPELINE = `
CREATE FUNCTION genai.apply_behind(group_before uuid, this_group uuid, batches jsonb, total int, server text) RETURNS text LANGUAGE plpgsql
  SET enable_seqscan = off AS $$
BEGIN
  PERFORM 1 FROM genai.change_groups WHERE group_id = group_before AND outcomes IS NOT NULL;
  IF NOT FOUND THEN RAISE EXCEPTION 'group % in front of it was not applied', group_before USING ERRCODE = 'GN003'; END IF;
  RETURN genai.apply_batches(this_group, batches, total, server);
END $$;
`;
