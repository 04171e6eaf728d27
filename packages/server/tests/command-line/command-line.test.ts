import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { readCommandLine } from "../../src/command-line/command-line.ts";
import { VARIABLES } from "../../src/configuration/variables.ts";
import { openTaskStore } from "../../src/storage/index.ts";
import { SQLITE_MIGRATIONS } from "../../src/storage/sqlite/migrations.ts";
import { VERSION } from "../../src/version.ts";
import { artifact, changed, inserted, newTask, opened, settled } from "../storage/support/builders.ts";

const HOOKS = new URL("../../../../.ci/typescript-hooks.js", import.meta.url).href;
const MAIN = fileURLToPath(new URL("../../src/entry.ts", import.meta.url));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The program as people start it, to its end. */
function run(home: string, ...args: readonly string[]): Promise<Ended> {
  return ended(process.execPath, ["--import", HOOKS, MAIN, ...args], home);
}

function ended(
  file: string,
  args: readonly string[],
  home: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, GENAI_HOME: home, ...environment };
    execFile(file, args, { env }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });
}

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "genai-commands-"));
  return {
    home: join(folder, "home"),
    copy: join(folder, "copy.db"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("migrate makes a store, backup copies it beside its server, and check finds both sound", async () => {
  await using bundle = await setup();
  const { home, copy } = bundle;
  expect(await run(home, "migrate")).toEqual({
    code: 0,
    out: `The store in ${home} was made, with schema ${SQLITE_MIGRATIONS.length}.\n`,
    err: "",
  });
  const store = await openTaskStore({ databaseUrl: null, home });
  try {
    await store.commit([inserted(newTask())]);
    expect(await run(home, "backup", copy)).toMatchObject({ code: 0, out: expect.stringContaining(copy) });
    expect(await run(home, "check")).toEqual({ code: 0, out: `The store in ${home} is sound.\n`, err: "" });
    expect(await run(home, "migrate")).toMatchObject({ code: 1, err: expect.stringContaining("is in use by another") });
    expect(await run(home)).toMatchObject({ code: 1, err: expect.stringMatching(/^genai-server can't start\. .+\n$/) });
  } finally {
    await store.close();
  }
  const database = new Database(copy, { readonly: true });
  expect(database.prepare("SELECT count(*) FROM tasks").pluck().get()).toBe(1);
  database.close();
}, 60_000);

test("a home whose artifacts are no folder stops the start with a sentence about them", async () => {
  await using bundle = await setup();
  await mkdir(bundle.home);
  await writeFile(join(bundle.home, "artifacts"), "");
  expect(await run(bundle.home)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^genai-server can't start\. GENAI_HOME\/artifacts can't be used: .+ may write\.\n$/),
  });
}, 60_000);

test.each([
  [{ HOST: "nonsense.invalid" }, /^getaddrinfo E\w+ nonsense\.invalid\. Choose another .+ with HTTP_PORT or HOST\.$/],
  [{ TRUST_PROXY: "banana/99" }, /^TRUST_PROXY is "banana\/99", but it must list .+\.$/],
  [{ PUBLIC_URL: "https://example.org/?a" }, /^PUBLIC_URL is "https:\/\/example\.org\/\?a", but it must have no query/],
])(
  "a start with %j ends with 1 and one sentence",
  async (environment, sentence) => {
    await using bundle = await setup();
    const { code, err } = await ended(process.execPath, ["--import", HOOKS, MAIN], bundle.home, {
      HTTP_PORT: "0",
      ...environment,
    });
    const [, said] = /^genai-server can't start\. (.+)\n$/.exec(err) ?? [];
    expect({ code, said }).toEqual({ code: 1, said: expect.stringMatching(sentence) });
  },
  60_000,
);

test("a folder where the store should be stops the start and the check with a sentence", async () => {
  await using bundle = await setup();
  const file = join(bundle.home, "tasks.db");
  await mkdir(file, { recursive: true });
  const sentence = `${file} is a folder, not a task store. It was left as it is; move it away.\n`;
  expect(await run(bundle.home, "check")).toEqual({ code: 1, out: "", err: sentence });
  expect(await run(bundle.home)).toMatchObject({ code: 1, err: `genai-server can't start. ${sentence}` });
}, 60_000);

test("a backup that finds no more room ends with a sentence, and leaves nothing", async () => {
  await using bundle = await setup();
  const { home, copy } = bundle;
  await run(home, "migrate");
  const { size } = await stat(join(home, "tasks.db"));
  // A limit on the size of files stands for the full disk; dash and bash count it in blocks of 512 and 1,024 bytes.
  const command = `ulimit -f ${Math.floor(size / 2_048)} && exec "$@"`;
  const args = ["-c", command, "sh", process.execPath, "--import", HOOKS, MAIN, "backup", copy];
  expect(await ended("/bin/sh", args, home)).toEqual({
    code: 1,
    out: "",
    err: expect.stringMatching(/^\/.+copy\.db can't be written \(SQLITE_[A-Z_]+\)\. Choose another folder\.\n$/),
  });
  expect(await readdir(dirname(copy))).toEqual(["home"]);
}, 60_000);

test("check says what it found, and ends with 1", async () => {
  await using bundle = await setup();
  const { home } = bundle;
  expect(await run(home, "check")).toEqual({ code: 1, out: "", err: `There is no task store in ${home}.\n` });
  await run(home, "migrate");
  const database = new Database(join(home, "tasks.db"));
  database.exec("INSERT INTO events VALUES (1, 1, 1, 1, 0, 0, '{}')");
  database.close();
  expect(await run(home, "check")).toEqual({
    code: 1,
    out: `Attempts, events or webhooks of no task: 1.\nThe store in ${home} has 1 finding.\n`,
    err: "",
  });
  await writeFile(join(home, "tasks.db"), "not a database");
  expect(await run(home, "check")).toMatchObject({ code: 1, err: expect.stringContaining("is damaged") });
}, 60_000);

test("check misses the pictures of a store that came without their folder", async () => {
  await using bundle = await setup();
  const { home } = bundle;
  const store = await openTaskStore({ databaseUrl: null, home });
  const task = newTask();
  const open = opened(task.taskId);
  await store.commit([inserted(task)]);
  await store.commit([open, changed(open.attemptId), settled(task.taskId, { artifacts: [artifact("attempts/a/0")] })]);
  await store.close();
  expect(await run(home, "check")).toMatchObject({
    code: 1,
    out: expect.stringContaining("that tasks name is missing"),
  });
}, 60_000);

test("the version is the package's", async () => {
  await using bundle = await setup();
  expect(await run(bundle.home, "--version")).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
});

test("help names each command and each variable", async () => {
  await using bundle = await setup();
  const { code, out } = await run(bundle.home, "--help");
  expect(code).toBe(0);
  for (const word of ["check", "migrate", "backup FILE", ...Object.keys(VARIABLES)]) expect(out).toContain(word);
  for (const name of Object.keys(VARIABLES)) expect(out).toMatch(new RegExp(`^  ${name}(?:  +|\\n {26})\\S`, "m"));
  expect(out.split("\n").filter((line) => line.length > 120)).toEqual([]);
});

test.each([
  [["chekc"], '"chekc" is no command: check, migrate, backup FILE, or none to serve.'],
  [["backup"], "backup wants the name of one new file: genai-server backup FILE."],
  [["check", "now"], 'check takes no argument, and got "now".'],
  [["--fast"], "Unknown option '--fast'."],
])("the arguments %j are refused with a sentence", (args, sentence) => {
  expect(() => readCommandLine(args)).toThrow(sentence);
});

test("arguments that nobody knows end the program with 2", async () => {
  await using bundle = await setup();
  expect(await run(bundle.home, "--fast")).toEqual({
    code: 2,
    out: "",
    err: "Unknown option '--fast'. See genai-server --help.\n",
  });
});
