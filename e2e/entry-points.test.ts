import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program, root, until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

/** What a promise of DESIGN's says a clean end may take, in milliseconds. */
const END_MS_MAX = 10_000;

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends server and node cleanly, with exit code 0",
  async (signal) => {
    await using service = await Service.start({ nodes: 0 });
    const node = service.startNode(["--step-ms", "5"]);
    await service.nodesOnline(1);
    const created = await service.post("/v1/tasks/", { standardPipeline: { prompt: "a fox", steps: 40 } });
    expect(created.status).toBe(201);
    const startedAtMs = performance.now();
    expect(await node.end(signal)).toEqual({ code: 0, signal: null });
    expect(await service.server.end(signal)).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - startedAtMs;
    console.info(`${signal}: node and server ended after ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(2 * END_MS_MAX);
  },
  60_000,
);

test("SIGTERM ends a scaler cleanly", async () => {
  await using scaler = new Program("scaler", { env: { GRPC_SERVER_ADDR: "127.0.0.1:0" } });
  await until("the scaler listens", () => scaler.output.includes("listens"));
  expect(await scaler.end("SIGTERM")).toEqual({ code: 0, signal: null });
}, 30_000);

test("SIGTERM while a server still starts does not cut it off: it says why the start failed", async () => {
  const hung = createServer().listen(0, "127.0.0.1");
  try {
    const asked = once(hung, "connection");
    await until("the database hangs", () => hung.listening);
    const { port } = hung.address() as { port: number };
    await using server = new Program("server", {
      env: { HTTP_PORT: "0", DATABASE_URL: `postgresql://genai@127.0.0.1:${port}/genai` },
    });
    const [socket] = (await asked) as [Socket];
    const ended = server.end("SIGTERM");
    await until("the server has heard it", () => server.output.includes('"stopping"'));
    socket.destroy();
    expect(await ended).toEqual({ code: 1, signal: null });
    expect(server.output).toContain("genai-server can't start. The database of DATABASE_URL cannot be used");
  } finally {
    hung.close();
  }
}, 30_000);

test.each([
  [{ HTTP_PORT: "70000" }, /HTTP_PORT.*70000/],
  [{ RATE_LIMIT: "often" }, /RATE_LIMIT.*often/],
  [{ ENFORCE_JWT_AUTH: "maybe" }, /ENFORCE_JWT_AUTH.*maybe/],
  [{ LEASE: "0" }, /LEASE.*0/],
  [{ GENAI_HOME: "/dev/null/home" }, /GENAI_HOME.*\/dev\/null\/home/],
  [{ TRACE_FILE: "/dev/null/trace" }, /TRACE_FILE.*\/dev\/null\/trace/],
])("a wrong value stops the server with one sentence that names it: %j", async (env, sentence) => {
  await using server = new Program("server", { env });
  expect((await server.exit).code).toBe(1);
  expect(server.output.trim().split("\n")).toHaveLength(1);
  expect(server.output).toMatch(sentence);
});

test("a port that is taken stops the server with a sentence, and its home stays usable", async () => {
  const home = mkdtempSync(join(tmpdir(), "genai-port-"));
  const taken = createServer().listen(0, "127.0.0.1");
  try {
    await until("the port is taken", () => taken.listening);
    const { port } = taken.address() as { port: number };
    await using server = new Program("server", {
      env: { HTTP_PORT: String(port), GENAI_HOME: home, LOG_LEVEL: "error" },
    });
    expect((await server.exit).code).toBe(1);
    expect(server.output).toMatch(new RegExp(`genai-server can't start.*${port}`));
    await using again = new Program("server", { env: { HTTP_PORT: "0", GENAI_HOME: home } });
    await until("the second server listens", () => again.output.includes('"listening"'));
  } finally {
    taken.close();
    rmSync(home, { recursive: true });
  }
}, 60_000);

test("each program is there under its package's name of a command", () => {
  for (const [name, bin] of [
    ["server", "genai-server"],
    ["node", "genai-node"],
    ["scaler", "genai-scaler"],
    ["cli", "genai-cli"],
  ] as const) {
    const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    expect(manifest.bin).toEqual({ [bin]: "./dist/main.js" });
    expect(readFileSync(join(root, "packages", name, "dist/main.js"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  }
});

test("the demo draws a picture with real processes and leaves nothing running", () => {
  const folder = mkdtempSync(join(tmpdir(), "genai-demo-test-"));
  try {
    const output = execFileSync(process.execPath, [join(root, "e2e/demo.js")], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env.PATH },
      timeout: 60_000,
    });
    expect(output).toMatch(/The picture \(512×512\): .*demo\.png/);
    expect(output).toMatch(/http:\/\/127\.0\.0\.1:\d+\/docs\//);
    const png = readFileSync(join(folder, "demo.png"));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([512, 512]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 90_000);
