import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "@genai/testing";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "genai-closing-line-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs tests, and what jest does after them, as `npm run jest` does; both are plain JavaScript. */
async function run(options: { readonly tests: string; readonly afterwards?: string; readonly endMs?: number }) {
  await writeFile(join(folder, "a.test.cjs"), options.tests);
  await writeFile(join(folder, "teardown.cjs"), `module.exports = () => { ${options.afterwards ?? ""} };`);
  const config = { rootDir: folder, testMatch: ["**/*.test.cjs"], globalTeardown: "<rootDir>/teardown.cjs" };
  const env = { ...process.env, JEST_END_MS: String(options.endMs ?? 10_000) };
  return new Promise<{ code: unknown; last: string; stderr: string }>((resolve) => {
    const args = [join(root, ".ci/run-jest.js"), "--config", JSON.stringify(config)];
    execFile(process.execPath, args, { env, cwd: folder, timeout: 18_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, last: stdout.trimEnd().split("\n").at(-1) ?? "", stderr });
    });
  });
}

const PASSING = `test("a", () => {}); test.skip("b", () => {});`;
/** Hangs Node where it has nothing left to run, for good and with its events off, as its own deadlock does. */
const HANG = `process.on("exit", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));`;

test("the closing line counts what passed, failed and was skipped", async () => {
  expect(await run({ tests: PASSING })).toMatchObject({ code: 0, last: "1 passed, 0 failed, 1 skipped" });
  const failing = `${PASSING} test("c", () => { throw new Error("no"); });`;
  expect(await run({ tests: failing })).toMatchObject({ code: 1, last: "1 passed, 1 failed, 1 skipped" });
});

test("a suite that could not be loaded counts as failed", async () => {
  expect(await run({ tests: "this is no JavaScript" })).toMatchObject({
    code: 1,
    last: "0 passed, 1 failed, 0 skipped",
  });
});

test("a Node that hangs when it has run everything is ended, and the tests' results stand", async () => {
  const passed = await run({ tests: PASSING, afterwards: HANG, endMs: 100 });
  expect(passed).toMatchObject({ code: 0, last: "1 passed, 0 failed, 1 skipped" });
  expect(passed.stderr).toContain("jest was ended by SIGKILL when it had run everything.");
  const failing = `test("c", () => { throw new Error("no"); });`;
  expect(await run({ tests: failing, afterwards: HANG, endMs: 100 })).toMatchObject({ code: 1 });
});

test("a jest that is killed before its results fails without a closing line", async () => {
  const killed = await run({ tests: `process.kill(process.pid, "SIGKILL"); ${PASSING}` });
  expect(killed).toMatchObject({ code: 1 });
  expect(killed.last).not.toContain("passed");
  expect(killed.stderr).toContain("jest was ended by SIGKILL.");
});
