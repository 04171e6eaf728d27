import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@genai/testing";
import { NO_TRACING } from "@genai/tracing";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { ComfyUiEngine } from "../src/engines/comfy-ui/comfy-ui-engine.ts";
import type { Engine } from "../src/engines/engine.ts";
import { TestEngine } from "../src/engines/test/test-engine.ts";
import { capabilitiesOf } from "../src/node-capabilities.ts";
import { NodeClient } from "../src/node-client.ts";
import { Spool } from "../src/spool/spool.ts";
import { FakeComfyUi } from "./support/fake-comfy-ui.ts";
import { plainPng } from "./support/pictures.ts";
import { StandInServer } from "./support/stand-in-server.ts";

/** What the client before this one did wrong, one test each. */

const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 32, height: 32, steps: 2, seed: 1 } as const;
const SAVE = { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "x" } };

/** A node in this process, connected to a stand-in for its server. */
async function setup(create: (home: string) => Promise<{ engine: Engine; close?: () => Promise<void> }>) {
  const home = mkdtempSync(join(tmpdir(), "genai-node-"));
  const server = await StandInServer.start();
  const { engine, close } = await create(home);
  const { spool, kept } = await Spool.open(join(home, "spool"));
  const probe = await engine.probe(AbortSignal.timeout(5_000));
  const capabilities = capabilitiesOf(engine.type, probe, null, { models: [], minCost: 0 });
  const client = new NodeClient({
    tracing: NO_TRACING,
    backend: server.backend,
    token: null,
    nodeId: "n",
    bootId: randomUUID(),
    slots: 1,
    capabilities,
    engine,
    spool,
    kept,
    logger: pino({ level: "silent" }),
  });
  const over = client.run();
  await server.frame("register");
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      client.leave();
      await over;
      await close?.();
      await server[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const withTestEngine = (stepMs = 0) =>
  setup(() => Promise.resolve({ engine: new TestEngine({ models: ["m1", "m2"], faults: true, stepMs }) }));

async function withComfyUi() {
  const comfy = await FakeComfyUi.start("new");
  const bundle = await setup((home) =>
    Promise.resolve({
      engine: new ComfyUiEngine({
        url: comfy.url,
        scratch: join(home, "scratch"),
        pollMs: 50,
        absentMs: 200,
        fetchInput: () => Promise.reject(new Error("nothing is fetched here")),
      }),
      close: () => comfy.kill(),
    }),
  );
  return Object.assign(bundle, { comfy });
}

test("input images reach the graph: the old client threw the rewritten text away and did not wait for its uploads", async () => {
  await using bundle = await withComfyUi();
  const { server, comfy } = bundle;
  const cat = await plainPng(20, 10);
  const workflow = { "1": { class_type: "LoadImage", inputs: { image: "cat.png" } }, "2": SAVE };
  // As v1 hands it on: both are texts.
  const images = JSON.stringify({ "cat.png": cat.toString("base64") });
  server.task(randomUUID(), { type: "comfy", workflow: JSON.stringify(workflow), images });
  await server.frame("result");
  const name = String(comfy.posted[0]?.["1"]?.inputs?.image);
  expect(name).not.toBe("cat.png");
  expect(comfy.uploads.get(name)).toEqual(cat);
});

test("a result made while the socket was dead arrives over the next one: the old client sent it to the dead one", async () => {
  await using bundle = await withTestEngine(100);
  const { server } = bundle;
  const attemptId = randomUUID();
  server.task(attemptId, STANDARD);
  await server.frame("accepted");
  server.cut();
  await until("the reconnect", () => server.frames.filter(({ type }) => type === "register").length === 2);
  expect(await server.frame("result")).toMatchObject({ attemptId, artifacts: { length: 1 } });
  expect(server.uploads.get(`${attemptId}/0`)?.length).toBeGreaterThan(100);
});

test("an error says what went wrong, with its code: the old client made every one of them {}", async () => {
  await using bundle = await withComfyUi();
  const { server, comfy } = bundle;
  const corrupt = { "1": { class_type: "LoadImage", inputs: { image: "corrupt.png" } }, "2": SAVE };
  const expected = [
    [{ type: "comfy", workflow: "{nonsense" }, false, "The graph is no JSON."],
    [{ type: "comfy", workflow: { "1": { class_type: "Nope" } } }, false, "node Nope does not exist"],
    [{ type: "comfy", workflow: corrupt }, false, "cannot identify image file"],
    [{ ...STANDARD, model: "absent" }, false, 'no checkpoint "absent"'],
  ] as const;
  for (const [pipeline, retryable, words] of expected) {
    const attemptId = randomUUID();
    server.task(attemptId, pipeline);
    const error = await server.frame("error", (frame) => frame.attemptId === attemptId);
    expect(error).toMatchObject({ code: "task_invalid", retryable, message: expect.stringContaining(words) });
  }
  comfy.server.faults.push({ path: /^\/prompt$/, kind: "empty" });
  server.task(randomUUID(), STANDARD);
  const error = await server.frame("error", ({ retryable }) => retryable);
  expect(error).toMatchObject({ code: "engine_error", message: expect.stringContaining("can't be read: (nothing)") });
});

test("a frame that is no JSON, or none that is known, changes nothing: the old client crashed on it", async () => {
  await using bundle = await withTestEngine();
  const { server } = bundle;
  for (const text of ["{", "close", "null", "[]", "42", '{"type":"no-such-frame"}', '{"type":"task"}', '{"taskId":7}'])
    server.sendRaw(text);
  server.sendRaw(Buffer.from([0, 1, 2, 255]));
  server.task(randomUUID(), STANDARD);
  await server.frame("result");
  expect(server.frames.filter(({ type }) => type === "register")).toHaveLength(1);
});

test("an abort stops the engine's work and frees the slot: the old client ignored it", async () => {
  await using bundle = await withComfyUi();
  const { server, comfy } = bundle;
  comfy.faults.hang = true;
  const attemptId = randomUUID();
  server.task(attemptId, STANDARD);
  await until("the run", () => comfy.running);
  server.abort(attemptId);
  await until("the engine to stop", () => !comfy.running);
  comfy.faults.hang = false;
  expect(comfy.interrupts.length).toBeGreaterThan(0);
  await until("a free slot", () => bundle.client.status.attempts.length === 0);
  server.task(randomUUID(), { ...STANDARD, prompt: "another" });
  await server.frame("result");
  expect(server.frames.some(({ type }) => type === "error")).toBe(false);
});

test("a prompt that ComfyUI dropped ends as another node's to run: the old client waited for ever", async () => {
  await using bundle = await withComfyUi();
  bundle.comfy.faults.vanish = true;
  bundle.server.task(randomUUID(), STANDARD);
  expect(await bundle.server.frame("error")).toMatchObject({ code: "engine_lost_task", retryable: true });
});

test("the first register tells everything: the old client's metadata came too late and was empty", async () => {
  await using bundle = await withTestEngine();
  const { capabilities } = await bundle.server.frame("register");
  expect(capabilities).toMatchObject({
    engine: "test",
    ready: true,
    models: ["m1", "m2"],
    warmModel: "m1",
    pipelines: ["standard", "comfy"],
    ramBytes: expect.any(Number),
    cpuCount: expect.any(Number),
    imageInput: true,
  });
});
