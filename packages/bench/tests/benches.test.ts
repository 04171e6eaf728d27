import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

// Each bench once, as `npm run bench` starts it, on a load that says nothing of speed: it works, and counts and checks what it does.
const BENCHES: readonly (readonly [name: string, args: readonly string[], rows: number, checks: number])[] = [
  ["roundtrip", ["--tasks", "100", "--rounds", "1"], 7, 7],
  ["pictures", ["--tasks", "8"], 2, 2],
  ["memory", ["--tasks", "300"], 6, 1],
  ["backlog", ["--tasks", "1000", "--rounds", "1"], 1, 3],
  ["nodes", ["--nodes", "40", "--watched", "100"], 2, 2],
  ["reads", ["--tasks", "500"], 19, 1],
  ["dispatcher", ["--tasks", "2000"], 50, 16],
];

test.each(BENCHES)(
  "the bench %s runs to its end and finds its figures",
  async (name, args, rowsLeast, checks) => {
    const folder = await mkdtemp(join(tmpdir(), "genai-benches-"));
    try {
      const json = join(folder, "findings.json");
      const { stdout } = await promisify(execFile)(process.execPath, [MAIN, name, ...args, "--json", json]);
      const findings = JSON.parse(await readFile(json, "utf8"));
      expect(findings).toMatchObject({ bench: name, machine: { node: process.version, fsyncMs: expect.any(Number) } });
      expect(findings.rows.length).toBeGreaterThanOrEqual(rowsLeast);
      expect(findings.checks).toHaveLength(checks);
      const figures = [...findings.rows, ...findings.checks].flatMap((row: object) => Object.values(row));
      // A figure that could not be had is null in JSON.
      expect(figures).not.toContain(null);
      expect(stdout).toContain(findings.checks[0].what);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);

test("a bench that does not exist is told with the names of those that do", async () => {
  const run = promisify(execFile)(process.execPath, [MAIN, "nonsense"]);
  await expect(run).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("roundtrip") });
});
