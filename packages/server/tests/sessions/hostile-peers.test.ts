import { randomUUID } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { RawSocket, rawFrame } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { registerFrame, setup } from "./support/setup.ts";

const MIB = 1_024 * 1_024;
const REGISTER = JSON.stringify({ type: "register", node_id: "n", metadata: {} });

test("frames before register are counted and ignored, and the socket ends when its time is up", async () => {
  await using gateway = await setup({ limits: { registerMs: 300, tickMs: 50 } });
  const peer = await gateway.connect();
  for (const type of ["heartbeat", "result", "accepted", "status", "nonsense"]) peer.say({ type });
  expect((await peer.closed).code).toBe(1008);
  expect(gateway.counted).toEqual({ read: 0, bad: 5, unknown: 0 });
  expect(gateway.events.all).toEqual([]);
});

test("a socket that says nothing is closed after its time to register, and not before", async () => {
  await using gateway = await setup({ limits: { registerMs: 400, tickMs: 50 } });
  const startMs = performance.now();
  const peer = await gateway.connect();
  const { code, reason } = await peer.closed;
  expect({ code, reason }).toEqual({ code: 1008, reason: "no register within 400 ms" });
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(395);
});

test("a register of a version that nobody speaks is refused with a sentence", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say(registerFrame("n", { protocol: 3 }));
  expect(await peer.closed).toEqual({ code: 1008, reason: "protocols 1 and 2 are spoken here" });
});

test("a protocol-2 register with a wrong field is refused by the field's name", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say(registerFrame("n", { slots: 0 }));
  const { code, reason } = await peer.closed;
  expect(code).toBe(1008);
  expect(reason).toContain("slots");
});

test.each([
  ["a NUL", "a\u0000b"],
  ["a line break", "a\nb"],
  ["an escape", "\u001b[2Ja"],
  ["a control of the second set", "a\u009bb"],
  ["half of a pair", "a\ud800"],
  ["a line separator", "a\u2028b"],
])("a protocol-2 node id with %s is refused", async (_what, nodeId) => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say(registerFrame(nodeId));
  expect(await peer.closed).toEqual({ code: 1008, reason: "register: nodeId must have no control characters" });
  expect(gateway.events.all).toEqual([]);
});

test.each([
  ["an empty node id", { node_id: "", metadata: {} }],
  ["a node id of 257 characters", { node_id: "a".repeat(257), metadata: {} }],
  ["a node id that is a number", { node_id: 7, metadata: {} }],
  ["models that are no list", { node_id: "n", metadata: { models: "all" } }],
])("a legacy register with %s is ignored, and a good one after it is taken", async (_name, fields) => {
  await using gateway = await setup();
  const peer = await gateway.connect();
  peer.say({ type: "register", ...fields });
  peer.say(REGISTER);
  expect((await gateway.events.next("nodeJoined")).provider.providerId).toBe("n");
  expect(gateway.counted.bad).toBe(1);
});

test.each([
  ["nested a million deep", `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`],
  ["a million numbers long", `[${"1,".repeat(1_000_000)}1]`],
])("a legacy node's error %s is a bad frame, and costs no stack", async (_what, error) => {
  await using gateway = await setup();
  const peer = await gateway.legacy();
  const attemptId = gateway.attempt("legacy-node");
  peer.say(`{"type":"error","status":"error","taskId":"${attemptId}","error":${error}}`);
  await peer.settled();
  expect(gateway.counted.bad).toBe(1);
  expect(gateway.events.of("failed")).toEqual([]);
});

test("a second register of another id on one connection changes nothing", async () => {
  await using gateway = await setup();
  const legacy = await gateway.legacy("a");
  legacy.say({ type: "register", node_id: "b", metadata: {} });
  const modern = await gateway.modern("c");
  modern.say(registerFrame("d"));
  await Promise.all([legacy.settled(), modern.settled()]);
  expect(gateway.gateway.sessions().map(({ nodeId }) => nodeId)).toEqual(["a", "c"]);
  expect(gateway.counted.bad).toBe(2);
});

test("frames of unknown types are ignored and counted, however many", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  for (let i = 0; i < 1_000; i++) peer.say({ type: `later-${i}`, attemptId: i });
  await peer.settled();
  expect(gateway.counted.unknown).toBe(1_000);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

const ATTEMPT = randomUUID();
test.each<[string, unknown]>([
  ["no JSON", "{"],
  ["a number", "7"],
  ["null", "null"],
  ["a list", "[]"],
  ["no type", "{}"],
  ["a type that is no text", '{"type":["progress"]}'],
  ["an inherited type", '{"__proto__":{"type":"progress"}}'],
  ["a malformed attempt id", { type: "accepted", attemptId: "../../etc/passwd" }],
  ["an attempt id in capitals", { type: "accepted", attemptId: ATTEMPT.toUpperCase() }],
  ["no attempt id", { type: "accepted" }],
  ["progress over 1", { type: "progress", attemptId: ATTEMPT, value: 1.01 }],
  ["negative progress", { type: "progress", attemptId: ATTEMPT, value: -0.1 }],
  ["progress as text", { type: "progress", attemptId: ATTEMPT, value: "0.5" }],
  ["progress that is not a number", `{"type":"progress","attemptId":"${ATTEMPT}","value":NaN}`],
  ["progress of 1e999", `{"type":"progress","attemptId":"${ATTEMPT}","value":1e999}`],
  [
    "a result with a hash of no hash",
    { type: "result", attemptId: ATTEMPT, artifacts: [{ sha256: "x", bytes: 1, mime: "image/png" }] },
  ],
  [
    "a result of 1,001 pictures",
    {
      type: "result",
      attemptId: ATTEMPT,
      artifacts: new Array(1_001).fill({ sha256: "0".repeat(64), bytes: 1, mime: "image/png" }),
    },
  ],
  ["an error without a code", { type: "error", attemptId: ATTEMPT, message: "", retryable: true }],
  ["a heartbeat from the past", { type: "heartbeat", seq: -1, free: 0, running: [] }],
  ["capabilities without an engine", { type: "capabilities", capabilities: {} }],
])("a frame with %s is ignored and counted, and the node works on", async (_name, frame) => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  peer.say(frame);
  peer.say({ type: "heartbeat", seq: 9, free: 1, running: [] });
  expect(await peer.next()).toMatchObject({ type: "heartbeatAck", seq: 9 });
  expect(gateway.counted).toEqual({ read: 2, bad: 1, unknown: 0 });
  expect(gateway.events.all.map(({ type }) => type)).toEqual(["nodeJoined"]);
});

test("a preview that is not what it says is ignored and counted", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  gateway.gateway.deliver("n", { attemptId, pipeline: { type: "standard", prompt: "a", model: "" }, limitMs: 1 });
  await peer.next();
  const base64 = Buffer.from("<script>").toString("base64");
  peer.say({ type: "preview", attemptId, mime: "image/png", base64 });
  await peer.settled();
  expect(gateway.counted.bad).toBe(1);
  expect(gateway.events.of("previewed")).toEqual([]);
});

test.each(["legacy", "modern"] as const)(
  "the hundredth bad frame in a minute closes a %s node with 1008",
  async (kind) => {
    await using gateway = await setup();
    const peer = await gateway[kind]("n");
    for (let i = 0; i < 99; i++) peer.say("no JSON");
    await peer.settled();
    expect(gateway.gateway.onlineNodeCount()).toBe(1);
    peer.say("no JSON");
    expect((await peer.closed).code).toBe(1008);
  },
);

test("bad frames are forgotten after a minute", async () => {
  let nowMs = 0;
  await using gateway = await setup({
    clock: { monotonicMs: () => nowMs, wallMs: () => 0 },
    limits: { silenceMs: 1e9 },
  });
  const peer = await gateway.legacy("n");
  for (let minute = 0; minute < 3; minute++) {
    for (let i = 0; i < 99; i++) peer.say("no JSON");
    await peer.settled();
    nowMs += 60_000;
  }
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("a frame of bytes is a bad frame", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  peer.webSocket.send(Buffer.from("{}"));
  await peer.settled();
  expect(gateway.counted.bad).toBe(1);
});

test("JSON of 100,000 levels harms nobody", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  peer.say("[".repeat(100_000) + "]".repeat(100_000));
  peer.say(`{"type":"capabilities","capabilities":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`);
  await peer.settled();
  expect(gateway.counted.bad).toBe(2);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("`__proto__` in a frame changes no prototype", async () => {
  await using gateway = await setup();
  const peer = await gateway.modern("n");
  const capabilities =
    '{"engine":"x","pipelines":[],"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
  peer.say(`{"type":"capabilities","__proto__":{"polluted":true},"capabilities":${capabilities}}`);
  const { provider } = await gateway.events.next("nodeChanged");
  expect(provider.engine).toBe("x");
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("a frame of bad UTF-8 closes its own socket with 1007 and no other", async () => {
  await using gateway = await setup();
  await gateway.modern("bystander");
  const { socket, closed: ended } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(REGISTER));
  await gateway.events.next("nodeJoined", 2);
  socket.write(rawFrame(Buffer.from([0xff, 0xfe, 0xfd])));
  expect(await ended).toBe(1007);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("check 26: a register of 100 MiB is refused at its header, and memory hardly moves", async () => {
  await using gateway = await setup();
  const beforeBytes = process.memoryUsage().rss;
  const { socket, closed: ended } = await RawSocket.connect(gateway.port, { answers: false });
  let sentBytes = 0;
  const chunk = Buffer.alloc(64 * 1_024, "a");
  socket.write(rawFrame("", { declaredBytes: 100 * MIB }));
  const pour = (): void => {
    while (!socket.destroyed && sentBytes < 100 * MIB) {
      sentBytes += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on("drain", pour);
  pour();
  expect(await ended).toBe(1009);
  const grownBytes = process.memoryUsage().rss - beforeBytes;
  console.info(
    `check 26: closed after ${(sentBytes / MIB).toFixed(1)} of 100 MiB, memory grew by ${(grownBytes / MIB).toFixed(1)} MiB`,
  );
  expect(grownBytes).toBeLessThan(20e6);
  expect(gateway.events.all).toEqual([]);
});

test("more than 64 KiB before register end the socket, in however many frames", async () => {
  await using gateway = await setup();
  const { socket, closed: ended } = await RawSocket.connect(gateway.port, { answers: false });
  const small = rawFrame(JSON.stringify({ type: "status", text: "a".repeat(1_000) }));
  for (let i = 0; i < 50; i++) socket.write(small);
  const other = await gateway.connect();
  await other.settled();
  expect(socket.destroyed).toBe(false);
  for (let i = 0; i < 20; i++) socket.write(small);
  expect(await ended).toBe(1009);
});

test("a compressed register may unpack to no more than memory can bear", async () => {
  await using gateway = await setup();
  const offer = { "Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover" };
  const bomb = deflateRawSync(Buffer.alloc(60 * MIB));
  const { socket, closed: ended } = await RawSocket.connect(gateway.port, { headers: offer, answers: false });
  const beforeBytes = process.memoryUsage().rss;
  socket.write(rawFrame(bomb, { compressed: true }));
  expect(await ended).toBe(1009);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(20e6);
});

test("a compressed register of honest size is taken", async () => {
  await using gateway = await setup();
  const peer = await gateway.connect({ perMessageDeflate: { threshold: 0 } });
  const models = Array.from({ length: 1_000 }, (_, i) => `model-${i}`);
  peer.say({ type: "register", node_id: "n", metadata: { models } });
  expect((await gateway.events.next("nodeJoined")).provider.models).toHaveLength(1_000);
});

test.each([
  ["legacy", 64 * MIB],
  ["modern", MIB],
] as const)("a %s node's frame over its bound of %i bytes closes its socket with 1009", async (kind, bytesMax) => {
  await using gateway = await setup();
  await gateway.modern("bystander");
  const peer = await gateway[kind]("n");
  const attemptId = gateway.attempt("n");
  const head = `{"type":"result","status":"ready","taskId":"${attemptId}","resultsUrl":["`;
  peer.say(`${head}${"a".repeat(bytesMax - head.length - 3)}"]}`);
  await peer.settled();
  expect(gateway.gateway.onlineNodeCount()).toBe(2);
  peer.webSocket.send("a".repeat(bytesMax + 1), () => {});
  expect((await peer.closed).code).toBe(1009);
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n" });
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("a register that comes byte by byte is taken", async () => {
  await using gateway = await setup();
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  for (const byte of rawFrame(REGISTER)) {
    await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
  }
  expect((await gateway.events.next("nodeJoined")).provider.providerId).toBe("n");
  socket.destroy();
});

test("a message in fragments of one byte is read, and one of a hundred thousand fragments ends its socket", async () => {
  await using gateway = await setup();
  const { socket, closed: ended } = await RawSocket.connect(gateway.port, { answers: false });
  const bytes = [...Buffer.from(REGISTER)];
  const fragments = bytes.map((byte, i) =>
    rawFrame(Buffer.from([byte]), { opcode: i === 0 ? 1 : 0, fin: i === bytes.length - 1 }),
  );
  socket.write(Buffer.concat(fragments));
  await gateway.events.next("nodeJoined");
  socket.write(rawFrame("a", { fin: false }));
  const endless = Buffer.concat(new Array(100_000).fill(rawFrame("a", { opcode: 0, fin: false })));
  socket.write(endless);
  expect(await ended).toBe(1008);
});

test("a node whose id is registered again and again by another: the newest stays, the others are sent away for a minute", async () => {
  let nowMs = 0;
  await using gateway = await setup({
    clock: { monotonicMs: () => nowMs, wallMs: () => 0 },
    limits: { silenceMs: 1e9 },
  });
  for (let i = 0; i < 5; i++) await gateway.modern("n");
  const fifth = await gateway.modern("n");
  for (let i = 0; i < 3; i++) {
    const late = await gateway.connect();
    late.say(registerFrame("n"));
    expect((await late.closed).code).toBe(1013);
  }
  expect(fifth.webSocket.readyState).toBe(fifth.webSocket.OPEN);
  await gateway.modern("somebody else");
  nowMs += 60_000;
  await gateway.modern("n");
  expect((await fifth.closed).code).toBe(4001);
});

test("a damped id is free again as soon as nobody has it", async () => {
  await using gateway = await setup();
  for (let i = 0; i < 5; i++) await gateway.modern("n");
  const last = await gateway.modern("n");
  last.close();
  await gateway.events.next("nodeLost");
  await gateway.modern("n");
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});

test("a node id belongs to the credentials that registered it while it is connected", async () => {
  await using gateway = await setup({
    authenticate: (request) => Promise.resolve({ ok: true, credential: String(request.headers["x-key"]) }),
  });
  const owner = await gateway.connect({ headers: { "x-key": "a" } });
  owner.say(registerFrame("n"));
  await owner.next();
  const thief = await gateway.connect({ headers: { "x-key": "b" } });
  thief.say(registerFrame("n"));
  expect((await thief.closed).code).toBe(1008);
  expect(owner.webSocket.readyState).toBe(owner.webSocket.OPEN);
});
