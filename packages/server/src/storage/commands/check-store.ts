import type { ArtifactStore } from "../../artifacts/artifact-store.ts";
import type { TaskArtifact } from "../../tasks/stored-task.ts";
import { errorReason } from "../error-code.ts";
import { connect, existingFile, inspect } from "../sqlite/database-file.ts";
import { StoreRefused } from "../store-refused.ts";
import { audits } from "./audits.ts";
import type { StoreLocation } from "./store-location.ts";

/** Verifies a store without changing it, beside a running server if there is one: the file's integrity, the schema, what must
 *  hold between the rows, and that each artifact that a task names is there. Returns one sentence for each finding; none: all is
 *  well. Throws {@link StoreRefused} where the store cannot be read at all. */
export async function checkStore(
  location: StoreLocation,
  artifacts: Pick<ArtifactStore, "list"> | null,
): Promise<readonly string[]> {
  const store = location.databaseUrl === null ? openFile(location.home) : await openDatabase(location.databaseUrl);
  try {
    const findings: string[] = [];
    for (const audit of audits(store.unclaimed)) {
      const found = Number((await store.rows(audit.sql))[0]?.found ?? 0);
      if (found > 0) findings.push(`${audit.finding}: ${found}.`);
    }
    if (artifacts) findings.push(...(await missingArtifacts(store.rows, artifacts)));
    return findings;
  } finally {
    await store.close();
  }
}

type Rows = (sql: string) => Promise<readonly Record<string, unknown>[]>;

interface OpenStore {
  readonly unclaimed: "claimed = 0" | "claimed_by IS NULL";
  readonly rows: Rows;
  close(): Promise<void>;
}

function openFile(home: string): OpenStore {
  const file = existingFile(home);
  inspect(file, { thorough: true });
  const database = connect(file, { readonly: true });
  return {
    unclaimed: "claimed = 0",
    rows: async (sql) => database.prepare<[], Record<string, unknown>>(sql).all(),
    close: async () => {
      database.close();
    },
  };
}

async function openDatabase(url: string): Promise<OpenStore> {
  const [{ default: pg }, { schemaOf }] = await Promise.all([import("pg"), import("../postgres/migrations.ts")]);
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    options: "-c search_path=genai",
  });
  // A link that breaks between two questions is told by the next one.
  client.on("error", () => undefined);
  try {
    await client.connect();
    if ((await schemaOf(client)) === 0) {
      throw new StoreRefused("unreachable", "The database of DATABASE_URL holds no task store.");
    }
    // One snapshot for all questions, so that a server that goes on working does not look like an error.
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  } catch (error) {
    await client.end().catch(() => undefined);
    if (error instanceof StoreRefused) throw error;
    const message = `The database of DATABASE_URL cannot be used: ${errorReason(error)}.`;
    throw new StoreRefused("unreachable", message, { cause: error });
  }
  return {
    unclaimed: "claimed_by IS NULL",
    rows: async (sql) => (await client.query(sql)).rows,
    close: () => client.end(),
  };
}

async function missingArtifacts(rows: Rows, artifacts: Pick<ArtifactStore, "list">): Promise<readonly string[]> {
  const named = new Set<string>();
  for (const row of await rows("SELECT artifacts FROM tasks WHERE artifacts IS NOT NULL")) {
    for (const { key } of JSON.parse(String(row.artifacts)) as readonly TaskArtifact[])
      if (key !== null) named.add(key);
  }
  if (named.size === 0) return [];
  for await (const { key } of artifacts.list("")) named.delete(key);
  const [first] = named;
  if (first === undefined) return [];
  if (named.size === 1) return [`1 artifact that tasks name is missing: ${first}.`];
  return [`${named.size} artifacts that tasks name are missing, such as ${first}.`];
}
