import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { openTaskStore } from "../../src/storage/index.ts";
import { agreesWithModel } from "./support/agrees-with-model.ts";
import { TestPostgres } from "./support/test-postgres.ts";

/** `MODEL_RUNS=1000` is the long form, `SEED=…` draws other commands. */
const RUNS = Number(process.env.MODEL_RUNS ?? 40);
const SEED = Number(process.env.SEED ?? 1);
const COMMANDS = 50;
/** A run takes a tenth of a second on SQLite and half of one on PostgreSQL, and ten times that where others use the machine. */
const TIMEOUT_MS = 20_000 + RUNS * 5_000;

console.info(`check 13: SEED=${SEED}, ${RUNS} runs of ${COMMANDS} commands on each store`);

test(
  "check 13: random commands leave SQLite as they leave the model",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "genai-model-"));
    const store = await openTaskStore({ databaseUrl: null, home });
    try {
      await agreesWithModel(store, { runs: RUNS, commands: COMMANDS, seed: SEED });
      await expect(store.ping()).resolves.toBeUndefined();
    } finally {
      await store.close();
      await rm(home, { recursive: true });
    }
  },
  TIMEOUT_MS,
);

test(
  "check 13: random commands leave PostgreSQL as they leave the model",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "genai-model-"));
    const postgres = await TestPostgres.start();
    const databaseUrl = await postgres.database();
    const store = await openTaskStore({ databaseUrl, home });
    try {
      await agreesWithModel(store, { runs: RUNS, commands: COMMANDS, seed: SEED });
      await expect(store.ping()).resolves.toBeUndefined();
    } finally {
      await store.close();
      await postgres.drop(databaseUrl);
      await postgres.stop();
      await rm(home, { recursive: true });
    }
  },
  TIMEOUT_MS,
);
