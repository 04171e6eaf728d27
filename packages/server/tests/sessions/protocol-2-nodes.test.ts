import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { AckFrame, HeartbeatAckFrame, RegisteredFrame, TaskFrame, UploadFrame } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { described, png, sha256 } from "./support/pictures.ts";
import { registerFrame, setup } from "./support/setup.ts";

const PIPELINE = { type: "standard", prompt: "a fox", model: "", seed: 7 } as const;

test("a node is answered with the terms and with what to keep and stop of what it holds", async () => {
  await using gateway = await setup();
  const [kept, stopped] = [randomUUID(), randomUUID()];
  gateway.events.join = () => Promise.resolve({ type: "joined", keep: [kept], stop: [stopped] });
  const peer = await gateway.connect();
  const held = [
    { attemptId: kept, state: "running" },
    { attemptId: stopped, state: "finished" },
  ];
  peer.say(registerFrame("n", { held }));
  expect(await peer.next<RegisteredFrame>()).toEqual({
    type: "registered",
    protocol: 2,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    frameBytesMax: 1_048_576,
    keep: [kept],
    stop: [stopped],
  });
  expect(gateway.events.of("nodeJoined")[0]).toMatchObject({
    held,
    provider: { providerId: "n", legacy: false, engine: "test", slots: 2, prefetch: 0, ready: true, cost: 0 },
  });
});

test("`registered` is the first frame, whatever the coordinator has to say before it", async () => {
  await using gateway = await setup();
  let answer = (): void => {};
  gateway.events.join = () =>
    new Promise((resolve) => {
      answer = () => resolve({ type: "joined", keep: [], stop: [] });
    });
  const peer = await gateway.connect();
  peer.say(registerFrame("n"));
  peer.say({ type: "heartbeat", seq: 1, free: 2, running: [] });
  await gateway.events.next("nodeJoined");
  gateway.gateway.deliver("n", { attemptId: gateway.attempt("n"), pipeline: PIPELINE, limitMs: 1_000 });
  answer();
  expect((await peer.next()).type).toBe("registered");
  expect((await peer.next()).type).toBe("task");
  expect((await peer.next()).type).toBe("heartbeatAck");
});

test("a node that can't be taken in is asked to try later", async () => {
  await using gateway = await setup();
  gateway.events.join = () => Promise.reject(new Error("the store is away"));
  const peer = await gateway.connect();
  peer.say(registerFrame("n"));
  expect((await peer.closed).code).toBe(1013);
});

test("a node of either version that is refused is told why, and to try later", async () => {
  await using gateway = await setup();
  const reason = "the server has as many nodes as it may";
  gateway.events.join = () => Promise.resolve({ type: "refused", reason });
  const modern = await gateway.connect();
  modern.say(registerFrame("n"));
  expect(await modern.closed).toEqual({ code: 1013, reason });
  expect(modern.texts).toEqual([]);
  const legacy = await gateway.legacy("old");
  expect(await legacy.closed).toEqual({ code: 1013, reason });
});

test("an attempt goes from task to ack: accepted, progress, preview, uploads, result", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  gateway.gateway.deliver("n", { attemptId, pipeline: PIPELINE, limitMs: 90_000 });
  const task = await peer.next<TaskFrame>();
  expect(task).toEqual({
    type: "task",
    attemptId,
    pipeline: PIPELINE,
    limitMs: 90_000,
    uploadUrl: expect.stringContaining(`${gateway.httpUrl}/v2/attempts/${attemptId}/artifacts/{n}?`),
  });
  peer.say({ type: "accepted", attemptId });
  peer.say({ type: "progress", attemptId, value: 0.5, stage: "denoise" });
  const preview = png(2, 2);
  peer.say({ type: "preview", attemptId, mime: "image/png", base64: preview.toString("base64") });
  const pictures = [png(8, 6, 1), png(8, 6, 2)];
  for (const [n, body] of pictures.entries()) {
    const answer = await fetch(task.uploadUrl.replace("{n}", String(n)), { method: "PUT", body: new Uint8Array(body) });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ sha256: described(body).sha256, bytes: body.length });
  }
  const artifacts = pictures.map((picture, n) => ({ ...described(picture), seed: 7 + n }));
  peer.say({ type: "result", attemptId, artifacts, metrics: { gpuMs: 12 } });
  const completed = await gateway.events.next("completed");
  expect(completed).toMatchObject({ nodeId: "n", attemptId, metrics: { gpuMs: 12 } });
  expect(completed.artifacts[1]).toEqual({
    index: 1,
    key: `attempts/${attemptId}/1`,
    url: null,
    ...described(pictures[1] as Buffer),
    width: 8,
    height: 6,
    seed: 8,
  });
  expect(gateway.events.of("accepted")).toMatchObject([{ nodeId: "n", attemptId }]);
  expect(gateway.events.of("progressed")).toMatchObject([{ attemptId, value: 0.5, stage: "denoise" }]);
  expect(gateway.events.of("previewed")).toMatchObject([{ attemptId, mime: "image/png", bytes: preview }]);
  expect(peer.texts).toHaveLength(2);
  gateway.gateway.acknowledge("n", attemptId, "accepted");
  expect(await peer.next<AckFrame>()).toEqual({ type: "ack", attemptId, verdict: "accepted" });
});

test("a pipeline that does not fit a frame is fetched from a signed URL", async () => {
  const attemptId = randomUUID();
  const pipeline = { type: "comfy", workflow: {}, images: { "a.png": "A".repeat(2_000_000) } } as const;
  await using gateway = await setup({ pipelines: new Map([[attemptId, pipeline]]) });
  const peer = await gateway.modern("n");
  gateway.gateway.deliver("n", { attemptId, pipeline, limitMs: 1_000 });
  const task = await peer.next<TaskFrame>();
  expect(task.pipeline).toBeUndefined();
  const answer = await fetch(task.pipelineUrl ?? "");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.json()).toEqual(pipeline);
  const unsigned = await fetch(`${gateway.httpUrl}/v2/attempts/${attemptId}/pipeline?expires=9999999999&signature=x`);
  expect(unsigned.status).toBe(403);
});

test("an abort is told at once, and again in heartbeat answers until the node has stopped", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const [aborted, wanted] = [gateway.attempt("n"), gateway.attempt("n")];
  const stranger = randomUUID();
  for (const attemptId of [aborted, wanted]) {
    gateway.gateway.deliver("n", { attemptId, pipeline: PIPELINE, limitMs: 1_000 });
    await peer.next();
  }
  gateway.gateway.abort("n", aborted, "canceled");
  expect(await peer.next()).toEqual({ type: "abort", attemptId: aborted, reason: "canceled" });
  const running = [aborted, wanted, stranger].map((attemptId) => ({ attemptId, progress: 0.25 }));
  peer.say({ type: "heartbeat", seq: 1, free: 0, running });
  expect(await peer.next<HeartbeatAckFrame>()).toEqual({
    type: "heartbeatAck",
    seq: 1,
    stop: [
      { attemptId: aborted, reason: "canceled" },
      { attemptId: stranger, reason: "lost" },
    ],
  });
  peer.say({ type: "heartbeat", seq: 2, free: 1, running: [{ attemptId: wanted, progress: 0.5 }] });
  expect(await peer.next<HeartbeatAckFrame>()).toMatchObject({ seq: 2, stop: [] });
  expect(gateway.events.of("progressed").map(({ attemptId, value }) => [attemptId, value])).toEqual([
    [wanted, 0.25],
    [wanted, 0.5],
  ]);
});

test.each([
  [true, "node"],
  [false, "task"],
])("an error that is retryable: %s is the %s's fault", async (retryable, fault) => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  peer.say({ type: "error", attemptId, code: "out_of_memory", message: "no room", retryable });
  expect(await gateway.events.next("failed")).toMatchObject({
    attemptId,
    error: { code: "out_of_memory", message: "no room" },
    fault,
  });
});

test("a reject hands the attempt back with its reason", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  peer.say({ type: "rejected", attemptId, reason: "busy" });
  expect(await gateway.events.next("rejected")).toMatchObject({ nodeId: "n", attemptId, reason: "busy" });
});

test("capabilities that change reach the dispatcher whole", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const capabilities = {
    engine: "comfyUI",
    pipelines: ["comfy"],
    ready: false,
    models: ["a"],
    warmModel: "a",
    minCost: 2,
  };
  peer.say({ type: "capabilities", capabilities });
  expect((await gateway.events.next("nodeChanged")).provider).toMatchObject({
    engine: "comfyUI",
    pipelines: ["comfy"],
    ready: false,
    models: ["a"],
    warmModel: "a",
    cost: 2,
    slots: 2,
  });
});

test.each([
  ["never uploaded", null],
  ["uploaded with other bytes", png(4, 4, 9)],
  ["uploaded as no picture", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")],
])("a picture that was %s is asked for again, three times, and then it is the node's fault", async (_name, body) => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  if (body !== null) {
    const url = gateway.httpUrl + gateway.urls.upload(attemptId, 60_000).replace("{n}", "0");
    await fetch(url, { method: "PUT", body: new Uint8Array(body) });
  }
  const result = { type: "result", attemptId, artifacts: [described(png())] };
  for (let round = 1; round <= 3; round++) {
    peer.say(result);
    expect(await peer.next<UploadFrame>()).toMatchObject({ type: "upload", attemptId, missing: [0] });
  }
  peer.say(result);
  expect(await gateway.events.next("failed")).toMatchObject({ attemptId, fault: "node" });
  expect(gateway.events.of("completed")).toEqual([]);
});

test.each([
  ["of 2,147,483,647 pixels a side", 0x7fff_ffff],
  ["of no pixels", 0],
])("check 35: a picture whose header claims to be %s never becomes a result", async (_what, side) => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  const picture = png();
  picture.writeUInt32BE(side, 16);
  picture.writeUInt32BE(side, 20);
  const url = gateway.httpUrl + gateway.urls.upload(attemptId, 60_000).replace("{n}", "0");
  await fetch(url, { method: "PUT", body: new Uint8Array(picture) });
  for (let round = 1; round <= 4; round++) peer.say({ type: "result", attemptId, artifacts: [described(picture)] });
  expect(await gateway.events.next("failed")).toMatchObject({ attemptId, fault: "node" });
  expect(gateway.events.of("completed")).toEqual([]);
});

test("check 35: a result without a picture is none", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  for (let round = 1; round <= 4; round++) peer.say({ type: "result", attemptId, artifacts: [] });
  expect(await gateway.events.next("failed")).toMatchObject({ attemptId, fault: "node" });
  expect(gateway.events.of("completed")).toEqual([]);
});

test("check 35: a thousand bad results never reach a client", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const bomb = png();
  bomb.writeUInt32BE(0x7fff_ffff, 16);
  const bad = [
    bomb,
    Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"),
    Buffer.from("<html>"),
    Buffer.from("GIF8"),
  ];
  const attempts = Array.from({ length: 1_000 }, () => gateway.attempt("n"));
  for (const [index, attemptId] of attempts.entries()) {
    const body = bad[index % bad.length] ?? bomb;
    const url = gateway.httpUrl + gateway.urls.upload(attemptId, 60_000).replace("{n}", "0");
    expect((await fetch(url, { method: "PUT", body: new Uint8Array(body) })).status).toBe(201);
    const artifacts = [{ ...described(body), ...(index % 8 === 0 ? { sha256: sha256(png()) } : {}) }];
    for (let round = 1; round <= 4; round++) peer.say({ type: "result", attemptId, artifacts });
    expect(await gateway.events.next("failed", index + 1)).toMatchObject({ attemptId, fault: "node" });
  }
  const reached = gateway.events.of("completed").length;
  console.info(`check 35: ${attempts.length} bad results, ${reached} reached a client`);
  expect(reached).toBe(0);
}, 60_000);

test("an upload that began in time and ends after its attempt replaces nothing", async () => {
  await using gateway = await setup();
  await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  const url = gateway.httpUrl + gateway.urls.upload(attemptId, 60_000).replace("{n}", "0");
  const good = png();
  const evil = Buffer.from("GIF89a<html><script>alert(1)</script></html>");
  const slow = request(url, { method: "PUT", headers: { "content-length": evil.length } });
  const answered = once(slow, "response");
  slow.on("error", () => {});
  slow.write(evil.subarray(0, 10));
  expect((await fetch(url, { method: "PUT", body: new Uint8Array(good) })).status).toBe(201);
  await gateway.events.end(attemptId);
  slow.end(evil.subarray(10));
  const [answer] = (await answered) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(409);
  const served = await fetch(gateway.httpUrl + gateway.urls.download(`attempts/${attemptId}/0`, 60_000));
  expect(Buffer.from(await served.arrayBuffer())).toEqual(good);
});

test("a picture that is uploaded when it was asked for makes the result good", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  const picture = png();
  const result = { type: "result", attemptId, artifacts: [described(picture)] };
  peer.say(result);
  const { uploadUrl } = await peer.next<UploadFrame>();
  await fetch(uploadUrl.replace("{n}", "0"), { method: "PUT", body: new Uint8Array(picture) });
  peer.say(result);
  expect(await gateway.events.next("completed")).toMatchObject({ attemptId });
});

test("a result of an attempt that is over gets its verdict and is asked for nothing", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = randomUUID();
  peer.say({ type: "result", attemptId, artifacts: [described(png())] });
  expect(await gateway.events.next("failed")).toMatchObject({ attemptId, error: { code: "artifacts_missing" } });
  gateway.gateway.acknowledge("n", attemptId, "stale");
  expect(await peer.next()).toEqual({ type: "ack", attemptId, verdict: "stale" });
});

test("a node that leaves hands back what it will not finish, gets nothing more, and does not come back for it", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  peer.say({ type: "leaving", handedBack: [attemptId] });
  expect(await gateway.events.next("rejected")).toMatchObject({ attemptId });
  expect(gateway.events.of("nodeLeaves")).toEqual([{ type: "nodeLeaves", nodeId: "n" }]);
  peer.close(1000);
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n", how: "left" });
});

test.each([
  ["closes its socket without leaving", (peer: { close(): void }) => peer.close()],
  ["is cut off", (peer: { terminate(): void }) => peer.terminate()],
])("a node that %s may come back with what it holds", async (_name, end) => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  end(peer);
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n", how: "broken" });
});

test("a server that stops tells its nodes to come back, at different times, and closes with 1012", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  await gateway.gateway.closeAll({ afterMs: 5_000 });
  const reconnect = await peer.next<{ type: string; afterMs: number }>();
  expect(reconnect.type).toBe("reconnect");
  expect(reconnect.afterMs).toBeLessThanOrEqual(5_000);
  expect((await peer.closed).code).toBe(1012);
});

test("the API sees who is connected", async () => {
  await using gateway = await setup();
  await gateway.modern("n");
  await gateway.legacy("old");
  expect(gateway.gateway.sessions()).toMatchObject([
    { nodeId: "n", protocol: 2, bootId: "boot-1", address: "127.0.0.1", provider: { slots: 2 } },
    { nodeId: "old", protocol: 1, bootId: null },
  ]);
});
