import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
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

test("up starts nothing where somebody else's server has the port", async () => {
  const other = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
  await once(other, "listening");
  const home = mkdtempSync(join(tmpdir(), "genai-up-"));
  try {
    const { port } = other.address() as AddressInfo;
    const run = await genai(["up", "--port", String(port), "--home", home], { env: { PATH: process.env.PATH ?? "" } });
    expect(run).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `genai-cli: Port ${port} is in use. Give another with --port.\n`,
    });
    expect(readdirSync(home)).toEqual([]);
  } finally {
    other.close();
    rmSync(home, { recursive: true });
  }
});

test("up says which program ended by itself", async () => {
  const args = ["up", "--port", String(await freePort()), "--home", "/dev/null/home"];
  const run = await genai(args, { env: { PATH: process.env.PATH ?? "" } });
  expect(run).toMatchObject({ exitCode: 1, stdout: "" });
  expect(run.stderr).not.toMatch(/^(?:scaler|node) \|/m);
  expect(run.stderr).toMatch(/server \| .*\n.*genai-cli: server ended by itself \(1\)\.\n$/s);
}, 60_000);
