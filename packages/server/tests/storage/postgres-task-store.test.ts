import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import { openTaskStore } from "../../src/storage/index.ts";
import { describeFailedCommits } from "./support/failed-commits.ts";
import { describeGuardStore } from "./support/guard-store-contract.ts";
import { describeTaskStore } from "./support/task-store-contract.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

async function setup() {
  const home = await mkdtemp(join(tmpdir(), "genai-store-"));
  const databaseUrl = await postgres.database();
  let store = await openTaskStore({ databaseUrl, home });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openTaskStore({ databaseUrl, home });
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await postgres.drop(databaseUrl);
      await rm(home, { recursive: true });
    },
  };
}

describeTaskStore(setup);
describeFailedCommits(setup);
describeGuardStore(setup);
