import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { backupStore, checkStore, migrateStore, openTaskStore, StoreRefused } from "../../src/storage/index.ts";
import { SQLITE_MIGRATIONS } from "../../src/storage/sqlite/migrations.ts";
import { artifact, changed, inserted, newTask, opened, requeued, settled } from "./support/builders.ts";

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "genai-commands-"));
  const home = join(folder, "home");
  const store = await openTaskStore({ databaseUrl: null, home });
  const tasks = [newTask(), newTask({ webhook: "https://example.com" }), newTask()];
  const opens = tasks.map((task) => opened(task.taskId));
  await store.commit(tasks.map((task, index) => inserted(task, { claimed: index === 0 })));
  await store.commit([
    ...opens,
    ...opens.slice(0, 2).map((open) => changed(open.attemptId)),
    settled(tasks[0]?.taskId ?? "", { artifacts: [artifact("attempts/a/0"), artifact("attempts/a/1", 1)] }),
    settled(tasks[1]?.taskId ?? "", { artifacts: [artifact(null)] }),
    requeued(tasks[2]?.taskId ?? ""),
  ]);
  return {
    folder,
    home,
    store,
    tasks,
    location: { databaseUrl: null, home },
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

function artifacts(...keys: readonly string[]) {
  return {
    async *list() {
      for (const key of keys) yield { key, bytes: 1, modifiedAtMs: 0 };
    },
  };
}

test("check finds nothing to say of a sound store, while its server works", async () => {
  await using bundle = await setup();
  expect(await checkStore(bundle.location, artifacts("attempts/a/0", "attempts/a/1", "attempts/b/0"))).toEqual([]);
});

test("check finds nothing to say of large inputs, counted ones and those that are kept no longer", async () => {
  await using bundle = await setup();
  const pipeline = { type: "standard", prompt: "u".repeat(70_000), model: "" } as const;
  const [waiting, ended] = [newTask({ pipeline }), newTask({ pipeline })];
  await bundle.store.commit([
    inserted(waiting),
    inserted(ended),
    settled(ended.taskId, { state: "canceled", atMs: Date.now() - 10_000, attempt: null }),
  ]);
  expect(await checkStore(bundle.location, null)).toEqual([]);
  const kept = { taskTtlMs: 1e10, artifactTtlMs: 1e10, limit: 10, removedKeys: [] };
  expect(await bundle.store.sweep({ ...kept, inputTtlMs: 5_000 })).toMatchObject({ inputs: 1 });
  expect(await checkStore(bundle.location, null)).toEqual([]);
});

test("check names artifacts that tasks name and nobody has", async () => {
  await using bundle = await setup();
  expect(await checkStore(bundle.location, artifacts("attempts/a/0"))).toEqual([
    "1 artifact that tasks name is missing: attempts/a/1.",
  ]);
  expect(await checkStore(bundle.location, artifacts())).toEqual([
    "2 artifacts that tasks name are missing, such as attempts/a/0.",
  ]);
});

test.each([
  ["DELETE FROM pipelines WHERE task_seq = 3", "Tasks without their pipeline that have not ended"],
  ["INSERT INTO large_inputs VALUES (1, 1, 70000)", "Large inputs that are not counted, or counted and not there"],
  ["DELETE FROM events WHERE task_seq = 1 AND number = 2", "Tasks whose log has a gap"],
  ["DELETE FROM tasks WHERE seq = 1", "Attempts, events or webhooks of no task"],
  ["UPDATE attempts SET task_seq = 1, attempt = 2 WHERE task_seq = 2", "Tasks with two accepted results"],
  ["UPDATE events SET state = 2 WHERE task_seq = 1 AND number = 2", "Tasks that ended twice in their log"],
  ["UPDATE events SET position = 1", "Positions of the log used twice"],
  ["DELETE FROM outbox", "Ended tasks whose webhook was never entered"],
  ["UPDATE users SET queued = queued + 1", "Users whose waiting or running tasks are miscounted"],
  ["UPDATE classes SET unclaimed = unclaimed + 1", "Requirement classes whose waiting tasks are miscounted"],
])("check notices: %s", async (damage, finding) => {
  await using bundle = await setup();
  const database = new Database(join(bundle.home, "tasks.db"));
  database.exec(damage);
  database.close();
  expect(await checkStore(bundle.location, null)).toContainEqual(expect.stringContaining(finding));
});

test("check throws a sentence where the file is damaged", async () => {
  await using bundle = await setup();
  const home = join(bundle.folder, "other");
  await backupInto(home, bundle.location);
  const whole = readFileSync(join(home, "tasks.db"));
  whole[4_096] = 0xff;
  await writeFile(join(home, "tasks.db"), whole);
  await expect(checkStore({ databaseUrl: null, home }, null)).rejects.toMatchObject({ code: "damaged" });
});

test("a backup taken while tasks are written is a whole store of one moment", async () => {
  await using bundle = await setup();
  let ended = false;
  const writer = (async () => {
    while (!ended) await bundle.store.commit([inserted(newTask())]);
  })();
  const home = join(bundle.folder, "restored");
  await backupInto(home, bundle.location);
  ended = true;
  await writer;
  expect(await checkStore({ databaseUrl: null, home }, null)).toEqual([]);
  const restored = await openTaskStore({ databaseUrl: null, home });
  expect(await restored.task(bundle.tasks[0]?.taskId ?? "")).toMatchObject({ state: "succeeded" });
  await restored.close();
  await expect(backupStore(bundle.location, join(home, "tasks.db"))).rejects.toMatchObject({ code: "not_writable" });
  expect((await readdir(home)).filter((name) => name.endsWith(".unfinished"))).toEqual([]);
});

test("a backup is for its owner only: prompts and the hashes of keys are in it", async () => {
  await using bundle = await setup();
  const copy = join(bundle.folder, "copy.db");
  await backupStore(bundle.location, copy);
  expect((await stat(copy)).mode & 0o777).toBe(0o600);
});

test("a store that can't be looked at is told from one that is not there", async () => {
  await using bundle = await setup();
  const location = { databaseUrl: null, home: join(bundle.folder, "other") };
  await mkdir(location.home);
  const file = join(location.home, "tasks.db");
  const refusals = async () => {
    const commands = [checkStore(location, null), backupStore(location, join(bundle.folder, "copy.db"))];
    return (await Promise.allSettled(commands)).map((ended) => ended.status === "rejected" && ended.reason.message);
  };
  const both = (sentence: string) => [sentence, sentence];
  expect(await refusals()).toEqual(both(`There is no task store in ${location.home}.`));
  // A link to itself stands for what the system refuses: to root it refuses little else.
  await symlink(file, file);
  const advice = "Give it to the user that runs the server, or choose another folder (GENAI_HOME).";
  expect(await refusals()).toEqual(both(`The task store ${file} can't be read (ELOOP). ${advice}`));
  await rm(file);
  await mkdir(file);
  const folder = `${file} is a folder, not a task store. It was left as it is; move it away.`;
  expect(await refusals()).toEqual(both(folder));
  await expect(openTaskStore(location)).rejects.toEqual(new StoreRefused("not_ours", folder));
  await expect(migrateStore(location)).rejects.toEqual(new StoreRefused("not_ours", folder));
});

test("backups into one file at once leave one whole copy and nothing else", async () => {
  await using bundle = await setup();
  await bundle.store.commit(Array.from({ length: 2_000 }, () => inserted(newTask())));
  const home = join(bundle.folder, "restored");
  await mkdir(home);
  const backups = Array.from({ length: 4 }, () => backupStore(bundle.location, join(home, "tasks.db")));
  expect((await Promise.allSettled(backups)).map(({ status }) => status)).toContain("fulfilled");
  expect(await readdir(home)).toEqual(["tasks.db"]);
  expect(await checkStore({ databaseUrl: null, home }, null)).toEqual([]);
});

test.each([
  ["a folder that is not there", "none/copy.db"],
  ["a file as its folder", "home/tasks.db/copy.db"],
  ["a name that no file may have", `${"x".repeat(250)}.db`],
])("a backup into %s is refused with a sentence, and leaves nothing", async (_what, target) => {
  await using bundle = await setup();
  const path = join(bundle.folder, target);
  const backup = backupStore(bundle.location, path);
  await expect(backup).rejects.toBeInstanceOf(StoreRefused);
  await expect(backup).rejects.toMatchObject({
    code: "not_writable",
    message: expect.stringMatching(/^\/.+ can't be written \([A-Z_]+\)\. Choose another folder\.$/),
  });
  expect(await readdir(bundle.folder)).toEqual(["home"]);
});

test("backup of a PostgreSQL store says how PostgreSQL does it", async () => {
  await expect(backupStore({ databaseUrl: "postgres://x", home: "/x" }, "/x")).rejects.toThrow(/pg_dump/);
});

test("migrate makes a store, does nothing the second time, and keeps out while a server runs", async () => {
  await using bundle = await setup();
  const location = { databaseUrl: null, home: join(bundle.folder, "new") };
  expect(await migrateStore(location)).toEqual({ from: 0, to: SQLITE_MIGRATIONS.length });
  expect(await migrateStore(location)).toEqual({ from: SQLITE_MIGRATIONS.length, to: SQLITE_MIGRATIONS.length });
  await expect(migrateStore(bundle.location)).rejects.toMatchObject({ code: "in_use" });
});

async function backupInto(home: string, from: { databaseUrl: null; home: string }): Promise<void> {
  await mkdir(home);
  await backupStore(from, join(home, "tasks.db"));
}
