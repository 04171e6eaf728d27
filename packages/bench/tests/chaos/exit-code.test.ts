import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const MAIN = fileURLToPath(new URL("../../dist/chaos/main.js", import.meta.url));

const chaos = (...args: readonly string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

test("a trial in which something is violated ends with 1, and says so", () => {
  // Nobody starts, so nobody can have started well.
  const { status, stdout, stderr } = chaos("migrations", "--kills", "0", "--starters", "0");
  const [, kept = ""] = /are kept in (\S+)/.exec(stderr) ?? [];
  rmSync(kept, { recursive: true });
  expect(stdout).toContain("VIOLATED: 0 of 0 starters ended well.");
  expect(status).toBe(1);
}, 60_000);

test("a trial that does not exist ends with 2 and the names of those that do", () => {
  const { status, stderr } = chaos("nonsense");
  expect(stderr).toContain("server-kill");
  expect(status).toBe(2);
}, 60_000);
