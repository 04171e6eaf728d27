import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { FakeComfyUi } from "../support/fake-comfy-ui.ts";
import { NodeProcess } from "../support/node-process.ts";
import { pngSize } from "../support/pictures.ts";
import { StandInServer } from "../support/stand-in-server.ts";

const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 32, height: 32, steps: 2, seed: 1 } as const;
const HANG = { ...STANDARD, prompt: "[[fault:hang]]" };
const TEST = ["-t", "test", "--fault-injection"];

function folder() {
  const path = mkdtempSync(join(tmpdir(), "genai-node-files-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("--once runs one task, brings its picture home and leaves with 0", async () => {
  await using server = await StandInServer.start();
  await using node = new NodeProcess([...TEST, "-b", server.backend, "--once", "--models", "m1", "--min-cost", "2.5"]);
  const { capabilities, slots } = await server.frame("register");
  expect({ ...capabilities, slots }).toMatchObject({
    engine: "test",
    ready: true,
    models: ["m1"],
    minCost: 2.5,
    slots: 1,
  });
  const attemptId = randomUUID();
  server.task(attemptId, STANDARD);
  await server.frame("accepted");
  const result = await server.frame("result");
  expect(result).toMatchObject({ attemptId, artifacts: [{ mime: "image/png", width: 32, height: 32, seed: 1 }] });
  expect(await node.ended()).toBe(0);
  expect(pngSize(server.uploads.get(`${attemptId}/0`) ?? Buffer.alloc(0))).toEqual({ width: 32, height: 32 });
  expect(readdirSync(join(node.home, "spool"))).toEqual([]);
}, 60_000);

test("SIGTERM finishes what runs; past the drain time the rest is handed back", async () => {
  await using server = await StandInServer.start();
  const flags = [...TEST, "-b", server.backend, "--slots", "2", "--step-ms", "200", "--drain-timeout", "2"];
  await using node = new NodeProcess(flags);
  await server.frame("register");
  const [short, endless] = [randomUUID(), randomUUID()];
  server.task(short, STANDARD);
  server.task(endless, HANG);
  await server.frame("accepted", ({ attemptId }) => attemptId === endless);
  node.program.signal("SIGTERM");
  await server.frame("leaving", ({ handedBack }) => handedBack.length === 0);
  await server.frame("result", ({ attemptId }) => attemptId === short);
  expect((await server.frame("leaving", ({ handedBack }) => handedBack.length > 0)).handedBack).toEqual([endless]);
  expect(await node.ended()).toBe(0);
}, 60_000);

test("a second SIGTERM hands back what runs at once", async () => {
  await using server = await StandInServer.start();
  await using node = new NodeProcess([...TEST, "-b", server.backend]);
  await server.frame("register");
  const attemptId = randomUUID();
  server.task(attemptId, HANG);
  await server.frame("accepted");
  node.program.signal("SIGTERM");
  await server.frame("leaving");
  const refused = randomUUID();
  server.task(refused, STANDARD);
  expect(await server.frame("rejected")).toMatchObject({ attemptId: refused, reason: "draining" });
  node.program.signal("SIGTERM");
  expect((await server.frame("leaving", ({ handedBack }) => handedBack.length > 0)).handedBack).toEqual([attemptId]);
  expect(await node.ended()).toBe(0);
}, 60_000);

test("a node whose engine is not up yet says so, registers as not ready, and is ready once the engine is there", async () => {
  await using server = await StandInServer.start();
  const early = await FakeComfyUi.start("new");
  const port = Number(new URL(early.url).port);
  await early.kill();
  await using node = new NodeProcess(["-t", "comfyUI", "-i", early.url, "-b", server.backend]);
  expect((await server.frame("register")).capabilities).toMatchObject({ ready: false, pipelines: [] });
  await until("a word in the log", () => node.program.output.includes("the engine is not ready; waiting for it"));
  const attemptId = randomUUID();
  server.task(attemptId, STANDARD);
  expect(await server.frame("rejected")).toMatchObject({ attemptId, reason: "the engine is not ready" });
  await using comfy = await FakeComfyUi.start("new", port);
  const { capabilities } = await server.frame("capabilities");
  expect(capabilities).toMatchObject({
    ready: true,
    engineVersion: "0.3.64",
    gpuType: "NVIDIA GeForce RTX 4090",
    gpuCount: 1,
  });
  expect(capabilities.nodeClassesHash).toMatch(/^[0-9a-f]{64}$/);
  expect(capabilities.nodeClasses).toBeUndefined();
  server.send({ type: "nodeClasses" });
  const asked = await server.frame("capabilities", ({ capabilities }) => capabilities.nodeClasses !== undefined);
  expect(asked.capabilities.nodeClasses).toContain("KSampler");
  expect(comfy.posted).toEqual([]);
}, 60_000);

test("an engine that dies under a task: the node offers nothing, hands the task to others, and is back with the engine", async () => {
  await using server = await StandInServer.start();
  const comfy = await FakeComfyUi.start("new");
  const port = Number(new URL(comfy.url).port);
  comfy.faults.hang = true;
  await using node = new NodeProcess(["-t", "comfyUI", "-i", comfy.url, "-b", server.backend]);
  await server.frame("register");
  const attemptId = randomUUID();
  server.task(attemptId, STANDARD);
  await until("the run", () => comfy.running);
  const diedAtMs = performance.now();
  await comfy.kill();
  const error = await server.frame("error", () => true, 35_000);
  console.info(`a killed engine was noticed after ${Math.round(performance.now() - diedAtMs)} ms`);
  expect(performance.now() - diedAtMs).toBeLessThan(30_000);
  expect(error).toMatchObject({ attemptId, code: "engine_down", retryable: true });
  const order = server.frames.map((frame) => frame.type);
  expect(order.indexOf("capabilities")).toBeLessThan(order.indexOf("error"));
  expect(await server.frame("capabilities")).toMatchObject({ capabilities: { ready: false } });
  await using again = await FakeComfyUi.start("new", port);
  await server.frame("capabilities", ({ capabilities }) => capabilities.ready);
  server.task(randomUUID(), STANDARD);
  await server.frame("result");
  expect(again.posted).toHaveLength(1);
  expect(node.program.hasEnded).toBe(false);
}, 90_000);

test("without its server a node goes on, keeps the result over its own restart, and brings it back", async () => {
  await using server = await StandInServer.start();
  using home = folder();
  const attemptId = randomUUID();
  {
    await using node = new NodeProcess([...TEST, "-b", server.backend], { home: home.path });
    await server.frame("register");
    server.acknowledges = false;
    server.task(attemptId, STANDARD);
    await server.frame("result");
    node.program.signal("SIGKILL");
    await node.ended();
    server.frames.length = 0;
    server.acknowledges = true;
    await using later = new NodeProcess([...TEST, "-b", server.backend], { home: home.path });
    expect((await server.frame("register")).held).toEqual([{ attemptId, state: "finished" }]);
    expect(await server.frame("result")).toMatchObject({ attemptId });
    await until("the spool to be empty", () => readdirSync(join(home.path, "spool")).length === 0);
    later.program.signal("SIGTERM");
    expect(await later.ended()).toBe(0);
  }
}, 60_000);

test("SIGTERM says how many results are waited for; a second one ends at once, and they are kept", async () => {
  await using server = await StandInServer.start();
  server.acknowledges = false;
  await using node = new NodeProcess([...TEST, "-b", server.backend]);
  await server.frame("register");
  server.task(randomUUID(), STANDARD);
  await server.frame("result");
  node.program.signal("SIGTERM");
  await until("a word in the log", () =>
    node.program.output.includes("waiting for 1 result to be taken by the server"),
  );
  expect(node.program.hasEnded).toBe(false);
  node.program.signal("SIGTERM");
  expect(await node.ended()).toBe(0);
  expect(readdirSync(join(node.home, "spool"))).toHaveLength(1);
}, 60_000);

test("a second node in the same home does not start, and one after a kill does", async () => {
  await using server = await StandInServer.start();
  using home = folder();
  await using first = new NodeProcess([...TEST, "-b", server.backend], { home: home.path });
  await server.frame("register");
  const refused = new NodeProcess([...TEST, "-b", server.backend], { home: home.path });
  expect(await refused.ended()).toBe(1);
  expect(refused.program.output).toContain(`Another node lives in ${home.path}.`);
  first.program.signal("SIGKILL");
  await first.ended();
  server.frames.length = 0;
  await using later = new NodeProcess([...TEST, "-b", server.backend], { home: home.path });
  await server.frame("register");
  expect(later.program.hasEnded).toBe(false);
}, 60_000);

test("a status page's port that is taken ends the node with a sentence, and its start told the server without its password", async () => {
  await using server = await StandInServer.start();
  const { host, port } = new URL(server.backend);
  const flags = [...TEST, "-b", `ws://ann:password@${host}/?token=password`, "--status-port", port];
  await using node = new NodeProcess(flags);
  expect(await node.ended()).toBe(1);
  expect(node.program.output).toContain(
    `\nThe status page can't have port ${port} (--status-port): it is in use. Choose another, or 0.\n`,
  );
  expect(node.program.output).toMatch(new RegExp(`"backend":"ws://${host}/".*"starting"`));
  expect(node.program.output).not.toContain("password");
}, 60_000);

test("the join token comes from its file, and the status page shows the node on loopback alone", async () => {
  await using server = await StandInServer.start();
  using files = folder();
  const tokenFile = join(files.path, "token");
  writeFileSync(tokenFile, "a-join-token\n");
  const flags = [...TEST, "-b", server.backend, "--status-port", "0"];
  await using node = new NodeProcess(flags, { env: { NODE_TOKEN_FILE: tokenFile } });
  await server.frame("register");
  expect(server.tokens).toEqual(["Bearer a-join-token"]);
  await until("the page's address", () => node.program.output.includes("status page"));
  const url = /"url":"(http:[^"]+)"/.exec(node.program.output)?.[1] ?? "";
  const status = await (await fetch(`${url}status`)).json();
  expect(status).toMatchObject({
    connection: "registered",
    attempts: [],
    capabilities: { engine: "test", ready: true },
  });
  expect((await fetch(`${url}healthz`)).status).toBe(200);
  expect(await (await fetch(url)).text()).toContain("<h1>genai node</h1>");
  expect(node.program.output).not.toContain("a-join-token");
}, 60_000);

test("--dry-run prints what the node would offer, with the GPUs that nvidia-smi names, and connects to nothing", async () => {
  using files = folder();
  script(
    join(files.path, "nvidia-smi"),
    'echo "NVIDIA GeForce RTX 4090, 24564"; echo "NVIDIA GeForce RTX 4090, 24564"',
  );
  const env = { PATH: `${files.path}:${process.env.PATH}` };
  await using node = new NodeProcess([...TEST, "--dry-run", "--models", "m1", "m2"], { env });
  expect(await node.ended()).toBe(0);
  expect(JSON.parse(node.program.stdout)).toMatchObject({
    engine: "test",
    ready: true,
    models: ["m1", "m2"],
    slots: 1,
    gpuType: "NVIDIA GeForce RTX 4090",
    gpuCount: 2,
    vramBytes: 24_564 * 1024 * 1024,
  });
  await using onCpu = new NodeProcess([...TEST, "--dry-run"], { env: { ...env, CPU: "true" } });
  expect(await onCpu.ended()).toBe(0);
  expect(JSON.parse(onCpu.program.stdout)).toMatchObject({ gpuType: null, gpuCount: 0, vramBytes: null });
  await using noEngine = new NodeProcess(["-t", "automatic", "-i", "http://127.0.0.1:9", "--dry-run"], { env });
  expect(await noEngine.ended()).toBe(1);
  expect(JSON.parse(noEngine.program.stdout)).toMatchObject({
    ready: false,
    reason: expect.stringContaining("can't be reached"),
  });
}, 60_000);

test("a provisioning script runs before the node starts, and its failure stops the start with a sentence", async () => {
  await using server = await StandInServer.start();
  using files = folder();
  const good = script(join(files.path, "good.sh"), "echo a model was fetched");
  const bad = script(join(files.path, "bad.sh"), "exit 3");
  await using node = new NodeProcess(TEST, { env: { BACKEND_SERVER: server.backend, PROVISIONING_SCRIPT: good } });
  await server.frame("register");
  expect(node.program.output).toContain("a model was fetched");
  await using failed = new NodeProcess(TEST, { env: { BACKEND_SERVER: server.backend, PROVISIONING_SCRIPT: bad } });
  expect(await failed.ended()).toBe(1);
  expect(failed.program.output).toContain(`The provisioning script ${bad} ended with 3.`);
}, 60_000);

test("SIGTERM ends a node that has not come to its server yet: under its script, before it is enrolled, before its engine answers", async () => {
  using files = folder();
  const mute = createServer(() => {}).listen(0, "127.0.0.1");
  await once(mute, "listening");
  const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  try {
    const endless = script(join(files.path, "endless.sh"), "exec sleep 600");
    const nowhere = ["-b", "ws://127.0.0.1:9"];
    const starts = [
      { flags: [...TEST, ...nowhere], env: { PROVISIONING_SCRIPT: endless }, at: '"msg":"provisioning"' },
      { flags: [...TEST, ...nowhere, "--token", "genai_ne_token"], at: "is to enrol this node does not answer" },
      { flags: ["-t", "comfyUI", "-i", url, ...nowhere] },
    ];
    for (const { flags, env, at } of starts) {
      const asked = at === undefined ? once(mute, "request") : null;
      await using node = new NodeProcess(flags, env && { env });
      if (at === undefined) await asked;
      else await until(at, () => node.program.stdout.includes(at));
      const toldAtMs = performance.now();
      node.program.signal("SIGTERM");
      expect(await node.ended()).toBe(0);
      expect(performance.now() - toldAtMs).toBeLessThan(5_000);
      expect(node.program.output).toBe(node.program.stdout);
      expect(node.program.stdout).toContain('"msg":"stopped"');
    }
  } finally {
    mute.closeAllConnections();
    mute.close();
  }
}, 60_000);
