import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";

const RULE = "must begin with http:// or https://, such as http://127.0.0.1:8080.";

test("a server's address that is no URL is refused with a sentence that names where it came from", async () => {
  const folder = mkdtempSync(join(tmpdir(), "settings-"));
  try {
    const config = join(folder, "config.json");
    writeFileSync(config, JSON.stringify({ server: "localhost:3" }));
    const env = { GENAI_SERVER: "localhost:2" };
    const list = ["tasks", "list", "--config", config];
    const refusal = (given: string, from: string) => ({
      exitCode: 2,
      stdout: "",
      stderr: `genai-cli: The server's URL "${given}" (${from}) ${RULE}\n`,
    });
    expect(await genai([...list, "--server", "localhost:1"], { env })).toEqual(refusal("localhost:1", "--server"));
    expect(await genai(list, { env })).toEqual(refusal("localhost:2", "GENAI_SERVER"));
    expect(await genai(list)).toEqual(refusal("localhost:3", config));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a scaler's address that is none is refused, and the advice names the command", async () => {
  expect(await genai(["list", "--scaler", "nowhere"])).toMatchObject({
    exitCode: 2,
    stderr: 'genai-cli: Setting scaler is "nowhere", but it must be host:port or unix:/path.\n',
  });
  const run = await genai(["keys", "create", "--role", "king"]);
  expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("Try genai-cli keys create --help.") });
});

test("a configuration file that was named must be there", async () => {
  const run = await genai(["tasks", "list", "--config", "/nonexistent/config.json"]);
  expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("can't be read (ENOENT)") });
});
