import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTaskStore } from "../../src/storage/index.ts";
import { describeFailedCommits } from "./support/failed-commits.ts";
import { describeGuardStore } from "./support/guard-store-contract.ts";
import { describeTaskStore } from "./support/task-store-contract.ts";

async function setup() {
  const home = await mkdtemp(join(tmpdir(), "genai-store-"));
  let store = await openTaskStore({ databaseUrl: null, home });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openTaskStore({ databaseUrl: null, home });
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(home, { recursive: true });
    },
  };
}

describeTaskStore(setup);
describeFailedCommits(setup);
describeGuardStore(setup);
