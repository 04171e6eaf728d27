import type { ClientBase } from "pg";
import { errorReason } from "../error-code.ts";
import { StoreRefused } from "../store-refused.ts";
import { makePool } from "./connection.ts";
import { SCHEMA_BATCHES, SCHEMA_OWN_CLAIMS, SCHEMA_TAKE_BACK } from "./schema-batches.ts";
import { SCHEMA_CLAIMS, SCHEMA_RESTS } from "./schema-claims.ts";
import { SCHEMA_FUNCTIONS } from "./schema-functions.ts";
import { SCHEMA_GUARD } from "./schema-guard.ts";
import { SCHEMA_INPUTS } from "./schema-inputs.ts";
import { SCHEMA_PIPELINE } from "./schema-pipeline.ts";
import { SCHEMA_TABLES } from "./schema-tables.ts";

/** Steps of the schema, numbered from 1 by their place, only ever appended. A step must leave the functions that an older server
 *  calls as they are, or replace one by another that does the same: during a rolling update both run. */
const MIGRATIONS: readonly string[] = [
  SCHEMA_TABLES + SCHEMA_FUNCTIONS,
  SCHEMA_GUARD,
  // A list of one state looks through that state's tasks alone.
  "CREATE INDEX tasks_of_user_by_state ON genai.tasks (user_seq, state, task_id)",
  SCHEMA_CLAIMS,
  SCHEMA_BATCHES,
  SCHEMA_PIPELINE,
  SCHEMA_TAKE_BACK,
  SCHEMA_INPUTS,
  // A class names all models of a graph: a tree takes keys of 2,704 bytes at most, a hash takes any.
  `ALTER TABLE genai.classes DROP CONSTRAINT classes_class_key_key,
    ADD CONSTRAINT classes_class_key_key EXCLUDE USING hash (class_key WITH =)`,
  SCHEMA_OWN_CLAIMS,
  SCHEMA_RESTS,
];

/** Newest schema that this program knows. */
const POSTGRES_SCHEMA = MIGRATIONS.length;

/** Any number that nobody else is likely to lock: "genai" in ASCII. */
const MIGRATION_LOCK = 0x67656e6169;

/** The database's schema, 0 for none yet. */
export async function schemaOf(client: ClientBase): Promise<number> {
  const { rows } = await client.query("SELECT to_regclass('genai.schema') IS NOT NULL AS made");
  if (!rows[0]?.made) return 0;
  const { rows: steps } = await client.query("SELECT coalesce(max(number), 0)::int AS number FROM genai.schema");
  return steps[0]?.number ?? 0;
}

/** Brings the schema up to date. Starters wait for each other, and each step is one transaction: killed in the middle, the
 *  schema before it stands. Throws {@link StoreRefused} where the database is ahead of this program. */
async function migrate(client: ClientBase): Promise<{ readonly from: number; readonly to: number }> {
  await client.query("BEGIN");
  try {
    await client.query("SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '600s'");
    await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const from = await schemaOf(client);
    if (from > POSTGRES_SCHEMA) {
      const message = `The database has schema ${from}, and this server knows schemas up to ${POSTGRES_SCHEMA}: it was written by a newer version. Start that version, or one newer still.`;
      throw new StoreRefused("newer_schema", message);
    }
    if (from === 0) {
      await client.query(
        "CREATE SCHEMA IF NOT EXISTS genai; CREATE TABLE genai.schema (number int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
      );
    }
    for (const [index, sql] of MIGRATIONS.entries()) {
      if (index < from) continue;
      await client.query(sql);
      await client.query("INSERT INTO genai.schema (number) VALUES ($1)", [index + 1]);
    }
    await client.query("COMMIT");
    return { from, to: POSTGRES_SCHEMA };
  } catch (error) {
    // A broken connection rolls back by itself; what went wrong first is what counts.
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Connects, migrates and closes. */
export async function migrateDatabase(url: string): Promise<{ readonly from: number; readonly to: number }> {
  const pool = makePool(url, { max: 1, callMs: 600_000 });
  try {
    const client = await pool.connect();
    try {
      return await migrate(client);
    } finally {
      client.release();
    }
  } catch (error) {
    if (error instanceof StoreRefused) throw error;
    throw new StoreRefused("unreachable", `The database of DATABASE_URL cannot be used: ${errorReason(error)}.`, {
      cause: error,
    });
  } finally {
    await pool.end();
  }
}
