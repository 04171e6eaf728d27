import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Postgres } from "@genai/testing/postgres";

/** A PostgreSQL of our own with its shipped settings: what is acknowledged is on the disk. */
export async function startPostgres(): Promise<{ database(): Promise<string>; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "genai-bench-postgres-"));
  const postgres = await Postgres.below(folder, { syncedFirst: false });
  await postgres.initialise();
  await postgres.start();
  let databases = 0;
  return {
    database: () => postgres.createDatabase(`bench_${++databases}`),
    async stop() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
