import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, Program, until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";

test.each(["SIGINT", "SIGTERM"] as const)(
  "up runs everything, a picture comes out, and %s ends all of it",
  async (signal) => {
    const home = mkdtempSync(join(tmpdir(), "genai-up-"));
    const port = String(await freePort());
    const scalerPort = String(await freePort());
    try {
      await using up = new Program("cli", {
        args: ["up", "--port", port, "--scaler-port", scalerPort, "--home", home],
      });
      await until("all of it is up", () => up.stdout.includes("Ready at"));
      const out = join(home, "fox.png");
      const run = await genai(
        ["generate", "a fox", "--size", "64x64", "--server", `http://127.0.0.1:${port}`, "--out", out],
        {
          env: { GENAI_HOME: home },
        },
      );
      expect(run.exitCode).toBe(0);
      expect(readFileSync(out).subarray(1, 4).toString()).toBe("PNG");
      expect(await up.end(signal)).toEqual({ code: 0, signal: null });
      await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    } finally {
      rmSync(home, { recursive: true });
    }
  },
  60_000,
);

test("up says which program ended by itself", async () => {
  const taken = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(taken, "listening");
  const home = mkdtempSync(join(tmpdir(), "genai-up-"));
  try {
    const { port } = taken.address() as { port: number };
    const run = await genai(["up", "--port", String(port), "--home", home], { env: { PATH: process.env.PATH ?? "" } });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).not.toMatch(/^(?:scaler|node) \|/m);
    expect(run.stderr).toMatch(/server \| .*\n.*genai-cli: server ended by itself \(1\)\.\n$/s);
  } finally {
    taken.close();
    rmSync(home, { recursive: true });
  }
}, 60_000);
