import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";
import { picture, type StandInOptions, startServerStandIn } from "./support/server-stand-in.ts";

async function setup(options: StandInOptions = {}) {
  const server = await startServerStandIn(options);
  const folder = mkdtempSync(join(tmpdir(), "generate-"));
  return {
    server,
    folder,
    out: join(folder, "fox.png"),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

test("a prompt becomes a picture in a file, told in plain lines where there is no terminal", async () => {
  await using bundle = await setup();
  const flags = "--size 512x768 --steps 20 --seed 7 --guidance 7.5 --max-cost 3".split(" ");
  const run = await genai(["generate", "a red fox", ...flags, "--out", bundle.out, "--server", bundle.server.url]);
  expect(run).toEqual({
    exitCode: 0,
    stdout: `${bundle.out}\n`,
    stderr: "Queued 0%\nRunning on node-a 0%\nsampling 20%\nsampling 50%\n",
  });
  expect(readFileSync(bundle.out)).toEqual(picture);
  expect(bundle.server.bodies).toEqual([
    {
      pipeline: {
        type: "standard",
        prompt: "a red fox",
        width: 512,
        height: 768,
        steps: 20,
        seed: 7,
        guidanceScale: 7.5,
      },
      maxCost: 3,
    },
  ]);
  expect(bundle.server.headers[0]?.["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
});

test("several pictures get numbered names", async () => {
  await using bundle = await setup();
  const run = await genai([
    "generate",
    "a fox",
    "--count",
    "2",
    "--out",
    bundle.out,
    "--json",
    "--server",
    bundle.server.url,
  ]);
  expect(readdirSync(bundle.folder).sort()).toEqual(["fox-1.png", "fox-2.png"]);
  expect(JSON.parse(run.stdout).files).toHaveLength(2);
  expect(run.stderr).toBe("");
});

test("a stream that breaks is taken up after its last event", async () => {
  await using bundle = await setup({ breaks: 2 });
  expect((await genai(["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url])).exitCode).toBe(0);
  expect(bundle.server.resumed).toEqual([undefined, "1", "1"]);
});

test("a task that fails is its reason and exit code 1, and no file", async () => {
  await using bundle = await setup({ ends: "failed" });
  const run = await genai(["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url]);
  expect(run).toMatchObject({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringMatching(/failed: the graph has no output\.\n$/),
  });
  expect(readdirSync(bundle.folder)).toEqual([]);
});

test("a picture that was damaged on its way is not written", async () => {
  await using bundle = await setup({ damaged: true });
  const run = await genai(["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url]);
  expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("SHA-256") });
  expect(readdirSync(bundle.folder)).toEqual([]);
});

test("a file that is there already stays, unless --force", async () => {
  await using bundle = await setup();
  writeFileSync(bundle.out, "mine");
  const args = ["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url];
  expect(await genai(args)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("is there already") });
  expect(bundle.server.bodies).toEqual([]);
  expect((await genai([...args, "--force"])).exitCode).toBe(0);
  expect(readFileSync(bundle.out)).toEqual(picture);
});

test.each([
  ["no/such/fox.png", "ENOENT"],
  ["a-file/fox.png", "ENOTDIR"],
])("a folder that nobody can write is refused before the picture is made: %s", async (out, code) => {
  await using bundle = await setup();
  writeFileSync(join(bundle.folder, "a-file"), "");
  const path = join(bundle.folder, out);
  const run = await genai(["generate", "a fox", "--force", "--out", path, "--server", bundle.server.url]);
  const why = `The folder ${dirname(path)} can't be written (${code}). Make it, or choose another with --out.`;
  expect(run).toEqual({ exitCode: 2, stdout: "", stderr: `genai-cli: ${why}\n` });
  expect(bundle.server.bodies).toEqual([]);
});

test("a picture that can't be saved is exit code 1, and its task is named", async () => {
  await using bundle = await setup();
  // It may have the name, and the file beside it that is written first may not.
  const out = join(bundle.folder, "x".repeat(250));
  const run = await genai(["generate", "a fox", "--out", out, "--server", bundle.server.url]);
  const id = "0199a0b0-0000-7000-8000-000000000000";
  expect(run).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(
      new RegExp(`can't be written \\(ENAMETOOLONG\\)\\. Task ${id} has the picture: genai-cli tasks show ${id}\\.\n$`),
    ),
  });
});

test("the key of a server on this machine is found, and shown to no other machine", async () => {
  await using bundle = await setup({ token: "admin-key" });
  writeFileSync(join(bundle.folder, "admin.key"), "admin-key\n");
  const env = { GENAI_HOME: bundle.folder };
  const args = ["generate", "a fox", "--out", bundle.out, "--server"];
  expect((await genai([...args, bundle.server.url], { env })).exitCode).toBe(0);
  expect(existsSync(bundle.out)).toBe(true);
  const refused = await genai([...args, bundle.server.url, "--force"]);
  expect(refused).toMatchObject({
    exitCode: 4,
    stderr:
      "genai-cli: The server refused it: A token is missing. Give a token with --token or GENAI_TOKEN, or set GENAI_HOME to the server's folder.\n",
  });
});

test("a wait that is too long ends with the task's id", async () => {
  await using bundle = await setup({ stuck: true });
  const run = await genai([
    "generate",
    "a fox",
    "--timeout",
    "0.2",
    "--out",
    bundle.out,
    "--server",
    bundle.server.url,
  ]);
  expect(run).toMatchObject({
    exitCode: 6,
    stderr: expect.stringMatching(/No picture within 0\.2 s\. Task [0-9a-f-]{36} goes on/),
  });
});

test("Ctrl-C ends the wait with exit code 130", async () => {
  await using bundle = await setup({ stuck: true });
  const interrupt = new AbortController();
  const args = ["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url];
  const run = genai(args, { signal: interrupt.signal });
  await until("the task is created", () => bundle.server.bodies.length > 0);
  interrupt.abort();
  expect((await run).exitCode).toBe(130);
});

test("Ctrl-C before the server has answered is one sentence and exit code 130 too", async () => {
  await using bundle = await setup();
  const args = ["generate", "a fox", "--out", bundle.out, "--server", bundle.server.url];
  const run = await genai(args, { signal: AbortSignal.abort() });
  expect(run).toMatchObject({ exitCode: 130, stderr: "genai-cli: The server may have the task.\n" });
});

test.each([
  [["--size", "big"], "It is no size like 512x512."],
  [["--steps", "many"], "It is no whole number."],
])("%j is refused before anything is asked", async (flags, sentence) => {
  const run = await genai(["generate", "a fox", ...flags, "--server", "http://127.0.0.1:1"]);
  expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(sentence) });
});

test("a folder in place of the file is refused before anything is asked, with --force too", async () => {
  const out = mkdtempSync(join(tmpdir(), "generate-"));
  const run = await genai(["generate", "a fox", "--out", out, "--force", "--server", "http://127.0.0.1:1"]);
  rmSync(out, { recursive: true });
  expect(run).toMatchObject({ exitCode: 2, stderr: `genai-cli: ${out} is a folder. Give --out the name of a file.\n` });
});

test("https to a server of http is told from a server that is away", async () => {
  await using bundle = await setup();
  const server = bundle.server.url.replace("http:", "https:");
  expect(await genai(["queue", "--server", server, "--token", "t"])).toMatchObject({
    exitCode: 5,
    stderr: expect.stringMatching(/does not answer as the server does \(\w+\)\. Check --server: http or https/),
  });
});

test("a server that is away is one sentence and exit code 5", async () => {
  const run = await genai(["generate", "a fox", "--server", "http://127.0.0.1:1"]);
  expect(run).toMatchObject({
    exitCode: 5,
    stderr:
      "genai-cli: The server at http://127.0.0.1:1 does not answer. Start it, or give its address with --server.\n",
  });
});
