import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { openTaskStore, type TaskStore } from "../../../src/storage/index.ts";
import { linkTo } from "./link-to.ts";
import type { TestPostgres } from "./test-postgres.ts";

export type PostgresBundle = Awaited<ReturnType<typeof setupPostgres>>;

/** A database of a test's own, a link to it that can be broken, and stores over that link. */
export async function setupPostgres(postgres: TestPostgres) {
  const databaseUrl = await postgres.database();
  const { proxy, url: linked } = await linkTo(databaseUrl);
  const home = await mkdtemp(join(tmpdir(), "genai-faults-"));
  const homes: string[] = [home];
  const stores: TaskStore[] = [];
  return {
    databaseUrl,
    home,
    proxy,
    /** A store over the link that the test can cut, as another server where `another` says so. */
    async open(url = linked, another = false) {
      const folder = another ? await mkdtemp(join(tmpdir(), "genai-faults-")) : home;
      if (another) homes.push(folder);
      const store = await openTaskStore({ databaseUrl: url, home: folder });
      stores.push(store);
      return store;
    },
    async sql(text: string) {
      const client = new pg.Client(databaseUrl);
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    async [Symbol.asyncDispose]() {
      proxy.heal();
      for (const store of stores) await store.close();
      await proxy[Symbol.asyncDispose]();
      await postgres.drop(databaseUrl);
      for (const folder of homes) await rm(folder, { recursive: true });
    },
  };
}
