import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { scalerService } from "@genai/protocol/scaler";
import { expect, test } from "@jest/globals";
import { readConfig } from "../src/config.ts";
import { helpText } from "../src/help-text.ts";
import { VARIABLES, type Variable } from "../src/variables.ts";

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
  [{ SCALER_TOKEN: "short" }, "SCALER_TOKEN is (secret), but it must have 16 characters or more."],
  [{ STOP_GRACE: "soon" }, 'STOP_GRACE is "soon", but it must be a duration such as 30s, 15m, 1h or 7d.'],
  [{ MAX_NODES: "many" }, 'MAX_NODES is "many", but it must be a whole number from 0.'],
  [{ MAX_NODES: "-1" }, 'MAX_NODES is "-1", but it must be a whole number from 0.'],
  [{ MAX_PRICE_PER_HOUR: "a lot" }, 'MAX_PRICE_PER_HOUR is "a lot", but it must be a number from 0.'],
  [{ SCALER_PLAINTEXT: "maybe" }, 'SCALER_PLAINTEXT is "maybe", but it must be true or false.'],
  [{ VASTAI_URL: "vast" }, 'VASTAI_URL is "vast", but it must be an http:// or https:// URL.'],
  [{ GRPC_SERVER_ADDR: "here" }, 'GRPC_SERVER_ADDR is "here", but it must be host:port or unix:/path.'],
  [{ LOG_LEVEL: "loud" }, 'LOG_LEVEL is "loud", but it must be one of trace, debug, info, warn, error, fatal, silent.'],
  [{ TLS_CERT: "c" }, "TLS_CERT and TLS_KEY go together; one of them is missing."],
  [{ TLS_CLIENT_CA: "a" }, "TLS_CLIENT_CA needs TLS_CERT and TLS_KEY beside it."],
  [{ CLUSTER_ID: "a b" }, 'CLUSTER_ID is "a b", but it must be 1 to 32 of a-z and 0-9.'],
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

const PAGE = join(import.meta.dirname, "../../../docs/scaler.md");
const TABLE = /\| name \| unit \|[^\n]*\n(?:\|[^\n]*\n)+/;

test("docs/scaler.md lists every variable with its unit, default and one line", () => {
  const rows = (Object.entries(VARIABLES) as [string, Variable][]).map(([name, variable]) => {
    const preset = variable.default === null || variable.default === "" ? " " : ` \`${variable.default}\` `;
    return `| \`${name}\`${variable.secret ? " (secret)" : ""} | ${variable.unit} |${preset}| ${variable.line} |\n`;
  });
  const table = `| name | unit | default | what it does |\n|---|---|---|---|\n${rows.join("")}`;
  const page = readFileSync(PAGE, "utf8");
  if (process.env.UPDATE_DOCS === "1")
    writeFileSync(
      PAGE,
      page.replace(TABLE, () => table),
    );
  expect(TABLE.exec(readFileSync(PAGE, "utf8"))?.[0]).toBe(table);
});

test("docs/scaler.md tells of every call and of no other", () => {
  const calls = readFileSync(PAGE, "utf8").split("\n## Calls\n")[1]?.split("\n## ")[0] ?? "";
  const told = [...calls.matchAll(/^\| `(\w+)`[^|]*\|/gm)].map(([, name]) => name);
  expect(told.sort()).toEqual(Object.keys(scalerService).sort());
});

test("--help names the settings and starts nothing; an argument that is not known is refused", () => {
  const main = join(import.meta.dirname, "../dist/main.js");
  const run = (argument: string) => spawnSync(process.execPath, [main, argument], { env: {}, encoding: "utf8" });
  expect(run("--help")).toMatchObject({ status: 0, stderr: "" });
  expect(run("-h").stdout).toBe(helpText());
  for (const name of Object.keys(VARIABLES))
    expect(helpText()).toMatch(new RegExp(`^  ${name}(?:  +|\\n {26})\\S`, "m"));
  expect(helpText()).toContain("Time a node has to drain. Default 60s.");
  expect(run("serve")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("--help") });
});

test("an address that is taken is one sentence, with nothing of gRPC's own beside it", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  try {
    const main = join(import.meta.dirname, "../dist/main.js");
    const run = spawnSync(process.execPath, [main], { env: { GRPC_SERVER_ADDR: address }, encoding: "utf8" });
    const reason = `listen EADDRINUSE: address already in use ${address}`;
    expect(run).toMatchObject({
      status: 78,
      stdout: "",
      stderr: `The scaler does not start: GRPC_SERVER_ADDR is "${address}", which can't be had: ${reason}.\n`,
    });
  } finally {
    taken.close();
  }
});

test("a line of the log has the time in ISO form, and neither process nor machine", async () => {
  const main = join(import.meta.dirname, "../dist/main.js");
  const scaler = spawn(process.execPath, [main], { env: { GRPC_SERVER_ADDR: "127.0.0.1:0" } });
  try {
    const [line] = (await once(createInterface(scaler.stdout), "line")) as [string];
    expect(JSON.parse(line)).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      address: "127.0.0.1:0",
      port: expect.any(Number),
      cluster: "default",
      msg: "The scaler listens",
    });
  } finally {
    scaler.kill();
    await once(scaler, "exit");
  }
});
