import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scalerService } from "@genai/protocol/scaler";
import { expect, test } from "@jest/globals";
import { ENVIRONMENT_NAMES, readConfig } from "../src/config.ts";

const token = "0123456789abcdef";

test("with nothing set it listens on this machine alone and runs any image", () => {
  expect(readConfig({})).toMatchObject({ GRPC_SERVER_ADDR: "127.0.0.1:51075", local: true, imageAllow: ["**"] });
});

test.each([
  ["0.0.0.0:51075"],
  ["[::]:51075"],
  ["10.0.0.5:51075"],
  ["scaler.example.org:51075"],
  ["127.0.0.1.evil.org:1"],
])("check 38: %s is refused without a credential, and without encryption", (address) => {
  expect(() => readConfig({ GRPC_SERVER_ADDR: address })).toThrow(/set SCALER_TOKEN/);
  expect(() => readConfig({ GRPC_SERVER_ADDR: address, SCALER_TOKEN: token })).toThrow(/set TLS_CERT and TLS_KEY/);
  const tls = { TLS_CERT: "c", TLS_KEY: "k" };
  expect(readConfig({ GRPC_SERVER_ADDR: address, SCALER_TOKEN: token, ...tls }).local).toBe(false);
  expect(readConfig({ GRPC_SERVER_ADDR: address, TLS_CLIENT_CA: "a", ...tls }).local).toBe(false);
  expect(readConfig({ GRPC_SERVER_ADDR: address, SCALER_TOKEN: token, SCALER_PLAINTEXT: "true" }).local).toBe(false);
});

test("beyond loopback only the default image may run unless more is allowed", () => {
  const open = { GRPC_SERVER_ADDR: "0.0.0.0:1", SCALER_TOKEN: token, SCALER_PLAINTEXT: "true" };
  expect(readConfig(open).imageAllow).toEqual([]);
  expect(readConfig({ ...open, DEFAULT_DOCKER_IMAGE: "a/b" }).imageAllow).toEqual(["a/b"]);
  expect(readConfig({ ...open, IMAGE_ALLOW: "a/b, c/*" }).imageAllow).toEqual(["a/b", "c/*"]);
});

test.each([
  [{ SCALER_TOKEN: "short" }, "SCALER_TOKEN is shorter than 16 characters."],
  [{ STOP_GRACE: "soon" }, "STOP_GRACE is no duration like 30s, 15m, 1h or 7d."],
  [{ MAX_NODES: "many" }, "MAX_NODES is no number."],
  [{ TLS_CERT: "c" }, "TLS_CERT and TLS_KEY go together; one of them is missing."],
  [{ TLS_CLIENT_CA: "a" }, "TLS_CLIENT_CA needs TLS_CERT and TLS_KEY beside it."],
  [{ CLUSTER_ID: "a b" }, "CLUSTER_ID is not 1 to 32 of a-z and 0-9."],
  [{ SCALER_TOKEN_FILE: "/nonexistent" }, "SCALER_TOKEN_FILE: /nonexistent can't be read (ENOENT)."],
])("%j is one sentence", (env, sentence) => {
  expect(() => readConfig(env)).toThrow(sentence);
});

test("durations have units, and a bare number is seconds", () => {
  expect(readConfig({ STOP_GRACE: "90", KEEP_STOPPED: "7d", CREATE_TIMEOUT: "1.5m" })).toMatchObject({
    STOP_GRACE: 90_000,
    KEEP_STOPPED: 604_800_000,
    CREATE_TIMEOUT: 90_000,
  });
});

test("a secret can stand in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "secret-"));
  try {
    writeFileSync(join(folder, "token"), `${token}\n`);
    expect(readConfig({ SCALER_TOKEN_FILE: join(folder, "token") }).SCALER_TOKEN).toBe(token);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a program that may not start says why in one line and exits with 78", () => {
  const main = join(import.meta.dirname, "../dist/main.js");
  const run = spawnSync(process.execPath, [main], { env: { GRPC_SERVER_ADDR: "0.0.0.0:0" }, encoding: "utf8" });
  expect(run.stderr).toMatch(/^The scaler does not start: 0\.0\.0\.0:0 can be reached from other machines.*\n$/);
  expect(run.status).toBe(78);
});

test("docs/scaler.md tells of every name of the environment and of every call, and of no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/scaler.md"), "utf8");
  const section = (title: string) => page.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
  const told = (text: string) =>
    [...text.matchAll(/^\| (`[^|]+`)[^|]*\|/gm)].flatMap(([, names = ""]) => [...names.matchAll(/`(\w+)`/g)]);
  expect(
    told(section("Environment"))
      .map(([, name]) => name)
      .sort(),
  ).toEqual([...ENVIRONMENT_NAMES].sort());
  expect(
    told(section("Calls"))
      .map(([, name]) => name)
      .sort(),
  ).toEqual(Object.keys(scalerService).sort());
});

test("--help names the settings and starts nothing; an argument that is not known is refused", () => {
  const main = join(import.meta.dirname, "../dist/main.js");
  const run = (argument: string) => spawnSync(process.execPath, [main, argument], { env: {}, encoding: "utf8" });
  expect(run("--help")).toMatchObject({ status: 0, stderr: "" });
  const { stdout } = run("-h");
  for (const name of ENVIRONMENT_NAMES) expect(stdout).toContain(`  ${name}\n`);
  expect(run("serve")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("--help") });
});
