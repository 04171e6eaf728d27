import { once } from "node:events";
import type { Pipeline } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { keysOf } from "../artifacts/support/keys-of.ts";
import { Gate } from "./support/gate.ts";
import { png, sha256 } from "./support/pictures.ts";
import { setup } from "./support/setup.ts";

const STANDARD: Pipeline = { type: "standard", prompt: "a fox", model: "" };

test("a legacy node joins with what its metadata says, on one slot", async () => {
  await using gateway = await setup({ legacyTerms: { cost: 3, slots: 1 } });
  await gateway.legacy("n");
  expect(gateway.events.of("nodeJoined")).toEqual([
    {
      type: "nodeJoined",
      held: [],
      provider: {
        providerId: "n",
        legacy: true,
        engine: null,
        pipelines: ["standard", "comfy"],
        models: ["m"],
        warmModel: null,
        gpuType: "RTX",
        vramBytes: null,
        imageInput: false,
        slots: 1,
        prefetch: 0,
        cost: 3,
        ready: true,
      },
    },
  ]);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("any field of the metadata may be missing", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say({ type: "register", node_id: "not a UUID at all", metadata: {} });
  const { provider } = await gateway.events.next("nodeJoined");
  expect(provider).toMatchObject({ providerId: "not a UUID at all", models: [], gpuType: null });
});

test("register without metadata closes the socket with 1008", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say({ type: "register", node_id: "n" });
  expect((await peer.closed).code).toBe(1008);
  expect(gateway.events.all).toEqual([]);
});

test.each<[string, Pipeline, string]>([
  [
    "a bare prompt",
    STANDARD,
    '{"taskId":"ID","options":{"prompt":"a fox","model":"","size":null,"steps":null},"comfyOptions":null}',
  ],
  [
    "everything that v1 knows, and nothing that it does not",
    {
      type: "standard",
      prompt: "ü",
      model: "sdxl",
      width: 512,
      height: 768,
      steps: 20,
      seed: 7,
      count: 2,
      strength: 1,
    },
    '{"taskId":"ID","options":{"prompt":"ü","model":"sdxl","size":{"width":512,"height":768},"steps":20},"comfyOptions":null}',
  ],
  [
    "a graph as v1's text",
    { type: "comfy", workflow: '{"1": {}}', images: "no JSON" },
    '{"taskId":"ID","options":null,"comfyOptions":{"pipelineData":"{\\"1\\": {}}","pipelineDependencies":{"images":"no JSON"}}}',
  ],
  [
    "a graph without images, given as an object",
    { type: "comfy", workflow: { 1: {} } },
    '{"taskId":"ID","options":null,"comfyOptions":{"pipelineData":"{\\"1\\":{}}","pipelineDependencies":null}}',
  ],
])("the task frame of %s is compact JSON with exactly v1's keys", async (_name, pipeline, text) => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  gateway.gateway.deliver("legacy-node", { attemptId, pipeline, limitMs: 1_000 });
  expect(await peer.nextText()).toBe(text.replace("ID", attemptId));
});

test("an abort is told by type and taskId", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  gateway.gateway.abort("legacy-node", attemptId, "canceled");
  expect(await peer.nextText()).toBe(`{"type":"abort","taskId":"${attemptId}"}`);
});

test("a result's data URLs become artifacts, and its other URLs stay as they are", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  const picture = png(30, 20);
  const resultsUrl = [`data:image/png;base64,${picture.toString("base64")}`, "https://example.com/a.png?x=1"];
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl });
  const { artifacts, nodeId } = await gateway.events.next("completed");
  expect(nodeId).toBe("legacy-node");
  expect(artifacts).toEqual([
    {
      index: 0,
      key: `attempts/${attemptId}/0`,
      url: null,
      sha256: sha256(picture),
      bytes: picture.length,
      mime: "image/png",
      width: 30,
      height: 20,
      seed: null,
    },
    {
      index: 1,
      key: null,
      url: "https://example.com/a.png?x=1",
      sha256: null,
      bytes: null,
      mime: null,
      width: null,
      height: null,
      seed: null,
    },
  ]);
});

test.each([false, true])("a result of megabytes arrives whole (compressed by the node: %s)", async (compressed) => {
  await using gateway = await setup();
  const peer = await gateway.legacy("legacy-node", { perMessageDeflate: compressed });
  const attemptId = gateway.attempt("legacy-node");
  const bytes = Buffer.concat([png(), Buffer.alloc(20 * 1_024 * 1_024, "noise that repeats")]);
  const resultsUrl = [`data:image/png;base64,${bytes.toString("base64")}`];
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl });
  const { artifacts } = await gateway.events.next("completed");
  expect(artifacts[0]).toMatchObject({ sha256: sha256(bytes), bytes: bytes.length });
});

test("a data URL whose bytes are no picture is kept as octet-stream, and the task succeeds", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  const html = Buffer.from("<script>alert(1)</script>");
  const resultsUrl = [`data:image/png;base64,${html.toString("base64")}`];
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl });
  const { artifacts } = await gateway.events.next("completed");
  expect(artifacts[0]).toMatchObject({ mime: "application/octet-stream", bytes: html.length });
  const answer = await fetch(gateway.httpUrl + gateway.urls.download(`attempts/${attemptId}/0`, 60_000));
  expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("content-disposition")).toBe("attachment");
});

test.each([
  ["a script", "javascript:alert(1)"],
  ["plain text", "not a URL"],
  ["another scheme", "ftp://example.com/a.png"],
  ["a URL of 9,000 characters", `https://x/${"a".repeat(9_000)}`],
])("a result with %s is the node's failure and stores nothing", async (_name, entry) => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl: [entry] });
  expect(await gateway.events.next("failed")).toMatchObject({ attemptId, fault: "unexplained" });
  expect(await keysOf(gateway.artifacts, "attempts")).toEqual([]);
});

test.each([
  [{ error: "{}" }, "The node gave no reason."],
  [{}, "The node gave no reason."],
  [{ error: "out of memory", resultsUrl: [] }, "out of memory"],
  [{ error: { code: 7 } }, '{"code":7}'],
])("an error %j is unexplained", async (fields, message) => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  peer.say({ type: "error", status: "error", taskId: attemptId, ...fields });
  expect(await gateway.events.next("failed")).toEqual({
    type: "failed",
    nodeId: "legacy-node",
    attemptId,
    error: { code: "node_error", message },
    fault: "unexplained",
  });
});

test("a result for an attempt that is not the node's writes nothing and completes nothing", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("another node");
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl: [`data:image/png;base64,AAAA`] });
  await gateway.events.next("failed");
  expect(gateway.events.of("completed")).toEqual([]);
  expect(await keysOf(gateway.artifacts, "attempts")).toEqual([]);
});

test("status frames are accepted and ignored", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  peer.say({ type: "status", anything: [1, 2] });
  await peer.settled();
  expect(gateway.counted).toEqual({ read: 1, bad: 0, unknown: 0 });
});

test("the text `close` means that the node leaves, and the node counts as gone at once", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  peer.say("close");
  expect(await gateway.events.next("nodeLost")).toEqual({ type: "nodeLost", nodeId: "legacy-node", how: "left" });
  expect(gateway.gateway.onlineNodeCount()).toBe(0);
  expect((await peer.closed).code).toBe(1000);
});

test("a node is no longer online when its close frame comes, though its socket stays open", async () => {
  await using gateway = await setup({ limits: { closeMs: 60_000 } });
  const peer = await gateway.legacy("n", { closeTimeout: 60_000 } as object);
  const socket = (peer.webSocket as unknown as { _socket: import("node:net").Socket })._socket;
  // A masked close frame, code 1000, by hand: the socket itself stays open.
  socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n", how: "left" });
  expect(gateway.gateway.onlineNodeCount()).toBe(0);
});

test("a first connection that is closed without a word is no event at all", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.close();
  await peer.closed;
  await gateway.legacy();
  expect(gateway.events.all.map(({ type }) => type)).toEqual(["nodeJoined"]);
});

test("a legacy node whose socket breaks has left", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  peer.terminate();
  expect(await gateway.events.next("nodeLost")).toMatchObject({ how: "left" });
});

test("a node whose connection is gone is given no more while its last picture is stored, and is not online", async () => {
  const gate = new Gate();
  await using gateway = await setup({ before: (real) => gate.before(real) });
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  const resultsUrl = [`data:image/png;base64,${png(64, 64).toString("base64")}`];
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl });
  peer.close();
  await peer.closed;
  const before = gateway.events.all.map(({ type }) => type);
  expect(gateway.gateway.onlineNodeCount()).toBe(0);
  gate.open();
  await gateway.events.next("nodeLost");
  expect(before).toEqual(["nodeJoined", "nodeLeaves"]);
  expect(gateway.events.all.map(({ type }) => type)).toEqual([...before, "completed", "nodeLost"]);
});

test("what a legacy node sent before it broke off still counts", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  const resultsUrl = [`data:image/png;base64,${png(64, 64).toString("base64")}`];
  peer.say({ type: "result", status: "ready", taskId: attemptId, resultsUrl });
  peer.close();
  await gateway.events.next("nodeLost");
  const told = gateway.events.all.map(({ type }) => type).filter((type) => type !== "nodeLeaves");
  expect(told).toEqual(["nodeJoined", "completed", "nodeLost"]);
});

test("the newest connection of a node id gets its tasks, and the old one is closed without a loss being told", async () => {
  await using gateway = await setup();
  const old = await gateway.legacy("n");
  const newest = await gateway.legacy("n");
  expect((await old.closed).code).toBe(4001);
  const attemptId = gateway.attempt("n");
  gateway.gateway.deliver("n", { attemptId, pipeline: STANDARD, limitMs: 1 });
  expect(await newest.next()).toMatchObject({ taskId: attemptId });
  expect(old.texts).toEqual([]);
  expect(gateway.events.of("nodeLost")).toEqual([]);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("nothing is ever sent to a legacy node but tasks and aborts", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  gateway.gateway.acknowledge("legacy-node", attemptId, "accepted");
  peer.say("no JSON");
  peer.say({ type: "result" });
  await peer.settled();
  await gateway.gateway.closeAll({ afterMs: 100 });
  await peer.closed;
  expect(peer.texts).toEqual([]);
});

test("a node comes back after a closed connection and works as before", async () => {
  await using gateway = await setup();
  const first = await gateway.legacy("n");
  first.close();
  await gateway.events.next("nodeLost");
  const second = await gateway.legacy("n");
  const attemptId = gateway.attempt("n");
  gateway.gateway.deliver("n", { attemptId, pipeline: STANDARD, limitMs: 1 });
  expect(await second.next()).toMatchObject({ taskId: attemptId });
});

test("a node that disconnects for the coordinator is closed", async () => {
  await using gateway = await setup();
  const peer = await gateway.legacy("n");
  gateway.gateway.disconnect("n", "limit");
  await once(peer.webSocket, "close");
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n", how: "left" });
});
