import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@genai/testing";
import { expect, jest, test } from "@jest/globals";
import Database from "better-sqlite3";
import { openTaskStore, type ServerStore } from "../../src/storage/index.ts";
import { anchoredClock } from "../../src/storage/store-clock.ts";
import { artifact, inserted, newTask, opened, settled } from "./support/builders.ts";
import { StoreProcess } from "./support/store-process-handle.ts";
import { backlogOf } from "./support/store-under-test.ts";

async function setup() {
  const home = await mkdtemp(join(tmpdir(), "genai-faults-"));
  const stores: ServerStore[] = [];
  return {
    home,
    file: join(home, "tasks.db"),
    async open() {
      const store = await openTaskStore({ databaseUrl: null, home });
      stores.push(store);
      return store;
    },
    /** A closed store with some tasks in it. */
    async filled() {
      const store = await openTaskStore({ databaseUrl: null, home });
      const tasks = Array.from({ length: 200 }, () => newTask());
      await store.commit(tasks.flatMap((task) => [inserted(task), opened(task.taskId), settled(task.taskId)]));
      await store.close();
      return tasks;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await rm(home, { recursive: true });
    },
  };
}

function hashOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

test.each([1, 100, 4_096, 40_000])(
  "a file cut to %i bytes is refused with a sentence and left as it is",
  async (bytes) => {
    await using bundle = await setup();
    await bundle.filled();
    truncateSync(bundle.file, bytes);
    const before = hashOf(bundle.file);
    await expect(bundle.open()).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringMatching(/damaged: .+\./),
    });
    expect(hashOf(bundle.file)).toBe(before);
  },
);

test("a flipped bit in the head of any page is refused with a sentence, and the file left as it is", async () => {
  await using bundle = await setup();
  await bundle.filled();
  const whole = readFileSync(bundle.file);
  const pages = whole.length / 4_096;
  expect(pages).toBeGreaterThan(20);
  for (let page = 0; page < pages; page += 3) {
    const flipped = Buffer.from(whole);
    const offset = page * 4_096;
    flipped[offset] = (flipped[offset] ?? 0) ^ 0x40;
    writeFileSync(bundle.file, flipped);
    await expect(bundle.open()).rejects.toMatchObject({ code: "damaged" });
    expect(hashOf(bundle.file)).toBe(createHash("sha256").update(flipped).digest("hex"));
  }
});

test("a file that is no database, and another program's database, are refused", async () => {
  await using bundle = await setup();
  writeFileSync(bundle.file, "not a database at all, but longer than the hundred bytes of a header".repeat(3));
  await expect(bundle.open()).rejects.toMatchObject({ code: "damaged" });
  await rm(bundle.file);
  const other = new Database(bundle.file);
  other.exec("CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1; PRAGMA application_id = 7");
  other.close();
  await expect(bundle.open()).rejects.toMatchObject({ code: "not_ours" });
});

test("check 23: a schema newer than the program stops the start with a sentence", async () => {
  await using bundle = await setup();
  await bundle.filled();
  const database = new Database(bundle.file);
  database.pragma("user_version = 99");
  database.close();
  const before = hashOf(bundle.file);
  await expect(bundle.open()).rejects.toMatchObject({
    code: "newer_schema",
    message: expect.stringContaining("has schema 99"),
  });
  expect(hashOf(bundle.file)).toBe(before);
});

test("a folder that the server may not write is refused with a sentence", async () => {
  await using bundle = await setup();
  await chmod(bundle.home, 0o555);
  await using unprivileged = new StoreProcess(bundle.home, "unprivileged");
  expect(await unprivileged.answer()).toMatchObject({
    refused: "not_writable",
    message: expect.stringContaining(`The folder ${bundle.home} cannot be written`),
  });
});

test("a second server on the same folder is refused, by this process or another, until the first is gone", async () => {
  await using bundle = await setup();
  await using first = new StoreProcess(bundle.home);
  expect(await first.answer()).toEqual({ opened: true });
  const { inserted: taskId } = await first.ask("insert 10");
  await expect(bundle.open()).rejects.toMatchObject({
    code: "in_use",
    message: expect.stringContaining(`in use by another server (process ${first.pid})`),
  });
  expect(await first.ask("ping")).toEqual({ ping: true });
  await first.kill();
  const store = await bundle.open();
  await expect(bundle.open()).rejects.toMatchObject({ code: "in_use" });
  expect(await store.task(String(taskId))).toMatchObject({ state: "queued" });
});

test("a process whose writer breaks off ends, and the next one has what was stored", async () => {
  await using bundle = await setup();
  await using server = new StoreProcess(bundle.home);
  await server.answer();
  const { inserted: kept } = await server.ask("insert 10");
  expect(await server.endBy("break")).toBe(1);
  expect(await (await bundle.open()).task(String(kept))).toMatchObject({ state: "queued" });
});

test("check 21: when nothing more can be written, writes fail at once, reads go on, and it recovers by itself", async () => {
  await using bundle = await setup();
  await using server = new StoreProcess(bundle.home);
  await server.answer();
  const { inserted: kept } = await server.ask("insert 10");
  // Each further byte in a file of this process fails from now on.
  execFileSync("prlimit", ["--pid", String(server.pid), "--fsize=4096:unlimited"]);
  const failed = await server.ask("insert 20000");
  expect(failed).toMatchObject({ failed: expect.stringMatching(/rolled_back|unknown/), afterMs: expect.any(Number) });
  expect(Number(failed.afterMs)).toBeLessThan(2_000);
  expect(await server.ask("ping")).toMatchObject({ failed: expect.any(String) });
  expect(await server.ask(`read ${kept}`)).toEqual({ read: kept });
  execFileSync("prlimit", ["--pid", String(server.pid), "--fsize=unlimited:unlimited"]);
  expect(await server.ask("ping")).toEqual({ ping: true });
  const { inserted: later } = await server.ask("insert 20000");
  expect(await server.ask(`read ${later}`)).toEqual({ read: later });
  await server.ask("close");
  const store = await bundle.open();
  const { tasks } = await store.tasksOf("alice", {}, 10, null);
  expect(tasks.map((task) => task.taskId).sort()).toEqual([kept, later].sort());
});

test("check 21: while the disk does not answer, keys, revocations and replays are refused within two seconds", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const key = {
    credentialId: "key_1",
    kind: "api_key",
    secretHash: "hash",
    subject: "alice",
    details: "{}",
    expiresAtMs: null,
    usesLeft: null,
  } as const;
  const blocker = new Database(bundle.file);
  blocker.exec("BEGIN IMMEDIATE");
  const startedAtMs = performance.now();
  const writes = [
    store.addCredential(key),
    store.redeemEnrolment("none", { ...key, credentialId: "key_2", secretHash: "other", kind: "node_key" }),
    store.revokeCredential("none"),
    store.replayDelivery("none"),
    store.replayDeliveries("alice", 0, 1, null),
  ];
  for (const { reason, status } of (await Promise.allSettled(writes)) as PromiseRejectedResult[]) {
    expect(status).toBe("rejected");
    expect(reason).toMatchObject({ name: "StoreUnavailable", outcome: "unknown" });
  }
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  blocker.close();
  // What was asked for before still came to be.
  await until("the key is there to be revoked", () => store.revokeCredential("key_1").catch(() => false));
});

test("check 21: while the disk does not answer, new writes are refused within two seconds, and what was asked before still holds", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [first, second] = [newTask(), newTask()];
  const blocker = new Database(bundle.file);
  blocker.exec("BEGIN IMMEDIATE");
  const pending = store.commit([inserted(first)]);
  let refused: { outcome?: string } | null = null;
  const startedAtMs = performance.now();
  while (refused === null && performance.now() - startedAtMs < 4_000) {
    refused = await Promise.race([
      store.commit([inserted(newTask())]).then(
        () => null,
        (error: { outcome?: string }) => error,
      ),
      new Promise<null>((resolve) => setTimeout(resolve, 50, null)),
    ]);
    expect(await store.task(first.taskId)).toBeNull();
  }
  expect(refused).toMatchObject({ name: "StoreUnavailable", outcome: "rolled_back" });
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  blocker.exec("ROLLBACK");
  blocker.close();
  expect(await pending).toMatchObject([{ type: "applied" }]);
  await store.commit([inserted(second)]);
  expect(await store.queuedOf("alice")).toBeGreaterThanOrEqual(2);
});

test("check 19: the store's clock does not go back when the system's does", () => {
  const clock = anchoredClock();
  const before = clock();
  const realNow = Date.now;
  jest.spyOn(Date, "now").mockImplementation(() => realNow() - 60 * 60 * 1000);
  expect(clock()).toBeGreaterThanOrEqual(before);
  expect(clock() - before).toBeLessThan(1_000);
  jest.restoreAllMocks();
});

test("check 19: after a start with the clock an hour back, tasks from the future wait, are claimed and are kept", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const ahead = Date.now() + 60 * 60 * 1000;
  const [waiting, done] = [newTask({ createdAtMs: ahead, deadlineAtMs: ahead + 1 }), newTask({ createdAtMs: ahead })];
  await store.commit([
    inserted(waiting, { idempotency: { key: "k", bodyHash: "h" } }),
    inserted(done),
    settled(done.taskId, { atMs: ahead, artifacts: [artifact("attempts/a/0")] }),
  ]);
  const hour = 60 * 60 * 1000;
  expect(
    await store.sweep({ taskTtlMs: hour, artifactTtlMs: hour, inputTtlMs: 1e10, limit: 10, removedKeys: [] }),
  ).toEqual({
    deleted: 0,
    expired: [],
    artifactKeys: [],
    inputs: 0,
    more: false,
  });
  expect(await store.idempotency("alice", "k")).toMatchObject({ taskId: waiting.taskId });
  expect(await store.claim({ classKeys: ["sdxl"], limit: 10, costMin: 0 })).toHaveLength(1);
});

test("a webhook of a newer version's task is left alone, and the others are delivered", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [newer, known] = [newTask({ webhook: "https://sink.example/" }), newTask({ webhook: "https://sink.example/" })];
  for (const task of [newer, known]) await store.commit([inserted(task), settled(task.taskId)]);
  const database = new Database(bundle.file);
  database.prepare("UPDATE tasks SET format = 2, spec = '{}' WHERE task_id = ?").run(newer.taskId);
  database.close();
  expect((await store.outboxDue(10, 1_000)).map(({ taskId }) => taskId)).toEqual([known.taskId]);
});

test("a row of a newer version is left alone, and everything beside it goes on", async () => {
  await using bundle = await setup();
  const [newer, known] = [newTask(), newTask()];
  const store = await bundle.open();
  await store.commit([inserted(newer), inserted(known)]);
  const database = new Database(bundle.file);
  database.prepare("UPDATE tasks SET format = 2, spec = '{}' WHERE task_id = ?").run(newer.taskId);
  database.close();
  await expect(store.task(newer.taskId)).rejects.toMatchObject({
    name: "StoreUnavailable",
    message: expect.stringContaining("newer version"),
  });
  expect((await store.tasksOf("alice", {}, 10, null)).tasks.map((task) => task.taskId)).toEqual([known.taskId]);
  expect(await store.commit([settled(newer.taskId)])).toEqual([{ type: "conflict", taskId: null }]);
  const claimed = await store.claim({ classKeys: ["sdxl"], limit: 10, costMin: 0 });
  expect(claimed.map(({ task }) => task.taskId)).toEqual([known.taskId]);
  expect(
    await store.sweep({ taskTtlMs: -1e9, artifactTtlMs: 0, inputTtlMs: 1e10, limit: 10, removedKeys: [] }),
  ).toMatchObject({
    deleted: 0,
  });
  expect(await backlogOf(store)).toBeDefined();
});
