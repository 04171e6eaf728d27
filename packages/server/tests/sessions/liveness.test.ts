import { once } from "node:events";
import type { Socket } from "node:net";
import { RawSocket, rawFrame, TcpProxy } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { DEFAULT_GATEWAY_LIMITS } from "../../src/sessions/gateway-limits.ts";
import { ClockInHand } from "./support/clock-in-hand.ts";
import { registerFrame, setup } from "./support/setup.ts";

const MIB = 1_024 * 1_024;

test("a node that only answers pings stays", async () => {
  await using gateway = await setup({ limits: { pingMs: 100, silenceMs: 300, tickMs: 20 } });
  const peer = await gateway.legacy("n");
  let pings = 0;
  const seen = new Promise<void>((resolve) => {
    peer.webSocket.on("ping", () => {
      if (++pings === 8) resolve();
    });
  });
  await seen;
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  expect(gateway.events.heard).toBeGreaterThan(3);
});

test("check 6: a black-holed socket is ended 25 s after its last byte, at the next look at it", async () => {
  const clock = new ClockInHand();
  await using gateway = await setup({ clock, limits: { tickMs: 5 } });
  await using proxy = await TcpProxy.to(gateway.port);
  const peer = await gateway.connect({}, `ws://127.0.0.1:${proxy.port}/`);
  peer.say(registerFrame("n"));
  await peer.next();
  await peer.settled();
  const lastByteMs = clock.monotonicMs();
  proxy.setFault({ type: "blackHole" });
  // Our own small writes are swallowed by the kernel, and are no sign of life.
  gateway.gateway.abort("n", gateway.attempt("n"), "canceled");
  const { tickMs, silenceMs, pingMs } = DEFAULT_GATEWAY_LIMITS;
  while (gateway.gateway.onlineNodeCount() > 0) {
    expect(clock.monotonicMs() - lastByteMs).toBeLessThan(26_000);
    await clock.pass(tickMs);
  }
  const endedMs = clock.monotonicMs() - lastByteMs;
  console.info(
    `check 6: ended ${(endedMs / 1_000).toFixed(2)} s after the last byte (pings every ${pingMs} ms unanswered)`,
  );
  expect(endedMs).toBeGreaterThanOrEqual(silenceMs);
  expect(endedMs).toBeLessThanOrEqual(silenceMs + tickMs);
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n", how: "broken" });
});

test("check 20: after the server itself stood still for a minute a node is asked anew, and only a silent one is ended", async () => {
  const clock = new ClockInHand();
  await using gateway = await setup({ clock, limits: { tickMs: 5 } });
  await using proxy = await TcpProxy.to(gateway.port);
  const peer = await gateway.connect({}, `ws://127.0.0.1:${proxy.port}/`);
  peer.say(registerFrame("n"));
  await peer.next();
  await peer.settled();
  proxy.setFault({ type: "blackHole" });
  const { tickMs, silenceMs } = DEFAULT_GATEWAY_LIMITS;
  await clock.pass(60_000);
  for (let askedMs = 0; askedMs < silenceMs - tickMs; askedMs += tickMs) {
    expect(gateway.gateway.onlineNodeCount()).toBe(1);
    await clock.pass(tickMs);
  }
  await clock.pass(2 * tickMs);
  expect(gateway.gateway.onlineNodeCount()).toBe(0);
});

test("a node on a line of one byte a second is alive for as long as bytes come", async () => {
  await using gateway = await setup({ limits: { silenceMs: 1_300, pingMs: 500, tickMs: 50 } });
  await using proxy = await TcpProxy.to(gateway.port);
  const peer = await gateway.connect({}, `ws://127.0.0.1:${proxy.port}/`);
  peer.say(registerFrame("n"));
  await peer.next();
  proxy.setFault({ type: "trickle", bytesPerSecond: 1 }, "up");
  peer.say({ type: "heartbeat", seq: 1, free: 1, running: [] });
  await new Promise((resolve) => setTimeout(resolve, 2_600));
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  proxy.setFault({ type: "blackHole" });
  await gateway.events.next("nodeLost");
});

test("a node that takes its task slowly is alive for as long as it takes bytes, though it sends none", async () => {
  await using gateway = await setup({ limits: { silenceMs: 2_000, pingMs: 60_000, tickMs: 50 } });
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(JSON.stringify({ type: "register", node_id: "n", metadata: {} })));
  await gateway.events.next("nodeJoined");
  socket.pause();
  const pipeline = { type: "comfy", workflow: "{}", images: "i".repeat(60 * MIB) } as const;
  gateway.gateway.deliver("n", { attemptId: gateway.attempt("n"), pipeline, limitMs: 1_000 });
  // A megabyte now and then, for longer than the silence that would end it.
  const untilMs = performance.now() + 4_500;
  while (performance.now() < untilMs) {
    socket.read(MIB);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  // And then nothing more.
  await gateway.events.next("nodeLost");
  socket.destroy();
});

test("check 28: a node that reads nothing is ended though it sends heartbeats", async () => {
  await using gateway = await setup({ limits: { writeStallMs: 1_000, tickMs: 50 } });
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(JSON.stringify({ type: "register", node_id: "n", metadata: {} })));
  await gateway.events.next("nodeJoined");
  socket.pause();
  const alive = setInterval(() => socket.write(rawFrame('{"type":"status"}')), 100);
  const pipeline = { type: "comfy", workflow: "{}", images: "i".repeat(24 * MIB) } as const;
  const startMs = performance.now();
  gateway.gateway.deliver("n", { attemptId: gateway.attempt("n"), pipeline, limitMs: 1_000 });
  await gateway.events.next("nodeLost");
  const endedMs = performance.now() - startMs;
  clearInterval(alive);
  console.info(
    `check 28: ended ${endedMs.toFixed(0)} ms after it stopped to read (bound 1,000 ms, looked at every 50 ms)`,
  );
  expect(endedMs).toBeGreaterThanOrEqual(950);
  expect(endedMs).toBeLessThan(2_500);
  socket.destroy();
});

test("a node for which over 64 MiB wait beyond one frame is ended at once", async () => {
  await using gateway = await setup();
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(JSON.stringify({ type: "register", node_id: "n", metadata: {} })));
  await gateway.events.next("nodeJoined");
  socket.pause();
  const pipeline = { type: "comfy", workflow: "{}", images: "i".repeat(30 * MIB) } as const;
  const deliver = () => gateway.gateway.deliver("n", { attemptId: gateway.attempt("n"), pipeline, limitMs: 1_000 });
  for (let i = 0; i < 3; i++) deliver();
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  deliver();
  expect(gateway.gateway.onlineNodeCount()).toBe(0);
  socket.destroy();
});

test("check 28: a thousand nodes that read nothing cost under 150 MB", async () => {
  await using gateway = await setup();
  const nodes = 1_000;
  const sockets: Socket[] = [];
  const connect = async (i: number): Promise<void> => {
    const { socket } = await RawSocket.connect(gateway.port, { answers: false });
    socket.write(rawFrame(JSON.stringify(registerFrame(`n${i}`))));
    sockets.push(socket);
  };
  for (let i = 0; i < nodes; i += 50) await Promise.all(Array.from({ length: 50 }, (_, n) => connect(i + n)));
  await gateway.events.next("nodeJoined", nodes);
  for (const socket of sockets) socket.pause();
  const beforeBytes = process.memoryUsage().rss;
  const pipeline = { type: "standard", prompt: "p".repeat(50_000), model: "" } as const;
  for (let i = 0; i < nodes; i++) {
    for (let slot = 0; slot < 2; slot++) {
      gateway.gateway.deliver(`n${i}`, { attemptId: gateway.attempt(`n${i}`), pipeline, limitMs: 1_000 });
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const grownBytes = process.memoryUsage().rss - beforeBytes;
  console.info(
    `check 28: 1,000 nodes that read nothing, two tasks of 50 kB each: memory grew by ${(grownBytes / 1e6).toFixed(0)} MB`,
  );
  expect(grownBytes).toBeLessThan(150e6);
  for (const socket of sockets) socket.destroy();
}, 60_000);

test("a flood of pings from a node that reads nothing ends that node", async () => {
  await using gateway = await setup();
  await gateway.modern("bystander");
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(JSON.stringify({ type: "register", node_id: "n", metadata: {} })));
  await gateway.events.next("nodeJoined", 2);
  socket.pause();
  const pings = Buffer.concat(new Array(5_000).fill(rawFrame("x".repeat(125), { opcode: 9 })));
  const flood = async (): Promise<void> => {
    while (!socket.destroyed)
      if (!socket.write(pings)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
  };
  void flood().catch(() => {});
  expect(await gateway.events.next("nodeLost")).toMatchObject({ nodeId: "n" });
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  socket.destroy();
});

test("a gateway that closes ends sockets that do not answer, in bounded time", async () => {
  await using gateway = await setup({ limits: { closeMs: 300 } });
  const { socket } = await RawSocket.connect(gateway.port, { answers: false });
  socket.write(rawFrame(JSON.stringify({ type: "register", node_id: "n", metadata: {} })));
  await gateway.events.next("nodeJoined");
  const startMs = performance.now();
  await gateway.gateway.closeAll({ afterMs: 1_000 });
  const closed = once(socket, "close");
  socket.resume();
  await closed;
  expect(performance.now() - startMs).toBeLessThan(1_000);
});
