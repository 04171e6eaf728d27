import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";

const main = join(import.meta.dirname, "../dist/main.js");

test.each(["SIGINT", "SIGTERM"] as const)(
  "up runs everything, a picture comes out, and %s ends all of it",
  async (signal) => {
    const home = mkdtempSync(join(tmpdir(), "genai-up-"));
    const port = String(await freePort());
    const scalerPort = String(await freePort());
    const up = spawn(process.execPath, [main, "up", "--port", port, "--scaler-port", scalerPort, "--home", home]);
    try {
      for await (const text of up.stdout.setEncoding("utf8")) if (String(text).includes("Ready at")) break;
      const out = join(home, "fox.png");
      const run = await genai(
        ["generate", "a fox", "--size", "64x64", "--server", `http://127.0.0.1:${port}`, "--out", out],
        {
          env: { GENAI_HOME: home },
        },
      );
      expect(run.exitCode).toBe(0);
      expect(readFileSync(out).subarray(1, 4).toString()).toBe("PNG");
      up.kill(signal);
      const [code] = await once(up, "exit");
      expect(code).toBe(0);
      await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    } finally {
      up.kill("SIGKILL");
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
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/server \| .*\n.*genai-cli: server ended by itself \(1\)\.\n$/s);
  } finally {
    taken.close();
    rmSync(home, { recursive: true });
  }
}, 60_000);
