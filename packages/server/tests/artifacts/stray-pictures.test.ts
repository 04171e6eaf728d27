import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { pino } from "pino";
import { FolderArtifactStore } from "../../src/artifacts/folder-artifact-store.ts";
import { StrayPictures } from "../../src/artifacts/stray-pictures.ts";
import { openTaskStore, type ServerStore } from "../../src/storage/index.ts";
import { artifact, changed, inserted, newTask, opened, settled } from "../storage/support/builders.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { keysOf } from "./support/keys-of.ts";
import { S3Server } from "./support/s3-server.ts";

const HOUR_MS = 3_600_000;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

interface Places {
  readonly tasks?: "SQLite" | "PostgreSQL";
  readonly pictures?: "a folder" | "S3";
}

/** A store of tasks and one of pictures. */
async function setup({ tasks = "SQLite", pictures = "a folder" }: Places = {}) {
  const home = await mkdtemp(join(tmpdir(), "genai-strays-"));
  const databaseUrl = tasks === "SQLite" ? null : await postgres.database();
  const s3 = pictures === "S3" ? await S3Server.start() : null;
  const store = await openTaskStore({ databaseUrl, home });
  const artifacts = s3 === null ? await FolderArtifactStore.open(join(home, "artifacts")) : await s3.open();
  return {
    home,
    store,
    artifacts,
    put: async (key: string) => {
      await artifacts.put(key, Readable.from([Buffer.from("bytes")]), { bytesMax: 10 });
    },
    kept: async () => (await keysOf(artifacts, "")).sort(),
    /** The sweep of a server that looks at it after so long. */
    sweepAfter: (ms: number, on: ServerStore = store) =>
      new StrayPictures({
        store: on,
        artifacts,
        artifactTtlMs: 24 * HOUR_MS,
        wallMs: () => Date.now() + ms,
        logger: pino({ level: "silent" }),
      }),
    async [Symbol.asyncDispose]() {
      await store.close();
      await artifacts.close();
      await s3?.[Symbol.asyncDispose]();
      if (databaseUrl !== null) await postgres.drop(databaseUrl);
      await rm(home, { recursive: true });
    },
  };
}

async function wholeRound(strays: StrayPictures): Promise<number> {
  let bites = 1;
  while (await strays.bite()) bites += 1;
  return bites;
}

test.each<Places>([
  { tasks: "SQLite", pictures: "a folder" },
  { tasks: "SQLite", pictures: "S3" },
  { tasks: "PostgreSQL", pictures: "a folder" },
])("pictures that an attempt brought and no task names go in their time: $tasks, $pictures", async (places) => {
  await using bundle = await setup(places);
  const { store, put } = bundle;
  const task = newTask();
  const [lost, won, other] = [1, 2, 3].map((attempt) => opened(task.taskId, { attempt }));
  const keyOf = (open: typeof lost, n: number) => `attempts/${open?.attemptId}/${n}`;
  await store.commit([inserted(task), ...[lost, won, other].flatMap((open) => open ?? [])]);
  for (const open of [lost, won, other]) for (const n of [0, 1]) await put(keyOf(open, n));
  await put("attempts/of-a-deleted-task/0");
  await put("uploads/u/1");
  const all = await bundle.kept();
  const lose = { open: false, state: "lost" } as const;
  await store.commit([
    changed(lost?.attemptId ?? "", lose),
    changed(won?.attemptId ?? ""),
    settled(task.taskId, { attempt: 2, artifacts: [artifact(keyOf(won, 0))] }),
  ]);
  await wholeRound(bundle.sweepAfter(24 * HOUR_MS));
  expect(await bundle.kept()).toEqual(all);
  await wholeRound(bundle.sweepAfter(26 * HOUR_MS));
  expect(await bundle.kept()).toEqual([keyOf(won, 0), keyOf(other, 0), keyOf(other, 1), "uploads/u/1"].sort());
  await store.commit([changed(other?.attemptId ?? "", lose)]);
  await wholeRound(bundle.sweepAfter(26 * HOUR_MS));
  expect(await bundle.kept()).toEqual([keyOf(won, 0), "uploads/u/1"]);
});

test("it takes small bites, and goes through all of them again in the next round", async () => {
  await using bundle = await setup();
  const keys = Array.from({ length: 450 }, (_, number) => `attempts/a${number}/0`).sort();
  await Promise.all(keys.map(bundle.put));
  const strays = bundle.sweepAfter(26 * HOUR_MS);
  const left: number[] = [];
  do left.push((await bundle.kept()).length);
  while (await strays.bite());
  expect(left).toEqual([450, 250, 50]);
  expect(await bundle.kept()).toEqual([]);
  await bundle.put("attempts/late/0");
  await wholeRound(strays);
  expect(await bundle.kept()).toEqual([]);
});

test("a task that a newer version wrote keeps its pictures, and is in no other's way", async () => {
  await using bundle = await setup();
  const task = newTask();
  const open = opened(task.taskId);
  await bundle.store.commit([inserted(task), open, changed(open.attemptId), settled(task.taskId)]);
  await bundle.put(`attempts/${open.attemptId}/0`);
  await bundle.put("attempts/a/0");
  await bundle.put("attempts/z/0");
  const database = new Database(join(bundle.home, "tasks.db"));
  database.prepare("UPDATE tasks SET format = 2").run();
  database.close();
  await wholeRound(bundle.sweepAfter(26 * HOUR_MS));
  expect(await bundle.kept()).toEqual([`attempts/${open.attemptId}/0`]);
});

test("a list that breaks off is begun anew", async () => {
  await using bundle = await setup();
  const folder = join(bundle.home, "artifacts/attempts");
  const strays = bundle.sweepAfter(26 * HOUR_MS);
  await writeFile(folder, "no folder");
  await expect(strays.bite()).rejects.toThrow("ENOTDIR");
  await rm(folder);
  await bundle.put("attempts/a/0");
  await wholeRound(strays);
  expect(await bundle.kept()).toEqual([]);
});

test("servers on one database and one place of pictures sweep at once, and none takes what another's task needs", async () => {
  const databaseUrl = await postgres.database();
  await using bundle = await setup();
  const homes = await Promise.all([1, 2, 3].map(() => mkdtemp(join(tmpdir(), "genai-strays-"))));
  const stores = await Promise.all(homes.map((home) => openTaskStore({ databaseUrl, home })));
  const needed: string[] = [];
  for (let n = 0; n < 60; n++) {
    const task = newTask();
    const open = opened(task.taskId);
    await stores[n % 3]?.commit([inserted(task), open]);
    await bundle.put(`attempts/${open.attemptId}/0`);
    needed.push(`attempts/${open.attemptId}/0`);
  }
  const strays = Array.from({ length: 340 }, (_, n) => `attempts/stray-${n}/0`);
  await Promise.all(strays.map(bundle.put));
  await Promise.all(stores.map((store) => wholeRound(bundle.sweepAfter(26 * HOUR_MS, store))));
  expect(await bundle.kept()).toEqual(needed.sort());
  for (const store of stores) await store.close();
  await postgres.drop(databaseUrl);
  for (const home of homes) await rm(home, { recursive: true });
});
