import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type ErrorFrame, NodeFrame, type ResultFrame } from "../protocol-2/node-frames.ts";
import type { RawSocket } from "./raw-socket.ts";
import { StandInServer } from "./stand-in-server.ts";

/** A node that is held against the protocol's page. It is to have two slots and an engine that makes a picture of a standard pipeline in a
 *  few steps of some 50 ms each. */
export interface NodeUnderTest {
  /** Starts the node, with the same home each time, so that it connects to this `ws:` URL. */
  start(backend: string): Promise<void>;
  /** Ends its process without a word. It may be started again. */
  kill(): Promise<void>;
}

/** What a node has to do, each a sentence and the sockets that show it. A case rejects where it does not. */
export const NODE_CASES: Readonly<Record<string, (node: NodeUnderTest) => Promise<void>>> = {
  "its first frame is `register`, and it runs a task from `accepted` to a result that describes what it uploaded": (
    node,
  ) =>
    withServer(node, async (server) => {
      const socket = await registered(server);
      const attemptId = give(socket, server);
      assert.equal((await nextFrame(socket, "accepted")).attemptId, attemptId);
      const result = await finalOf(socket, attemptId);
      assert.equal(result.type, "result");
      const [artifact] = (result as ResultFrame).artifacts;
      assert.equal(server.uploads.get(`/artifacts/${attemptId}/0`), artifact?.sha256);
      socket.say({ type: "ack", attemptId, verdict: "accepted" });
    }),

  "progress rises and stays between 0 and 1": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server);
      const attemptId = give(socket, server, 12);
      let value = 0;
      for (let frame = await next(socket); frame.type !== "result"; frame = await next(socket)) {
        if (frame.type !== "progress") continue;
        assert.ok(frame.value > value && frame.value <= 1, `progress ${frame.value} after ${value}`);
        value = frame.value;
      }
      assert.ok(value > 0);
      socket.say({ type: "ack", attemptId, verdict: "accepted" });
    }),

  "the same attempt again is accepted again and run once": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server);
      const attemptId = give(socket, server, 8);
      await nextFrame(socket, "accepted");
      give(socket, server, 8, attemptId);
      await nextFrame(socket, "accepted");
      await finalOf(socket, attemptId);
      socket.say({ type: "ack", attemptId, verdict: "accepted" });
      assert.deepEqual([...server.uploads.keys()], [`/artifacts/${attemptId}/0`]);
    }),

  "an aborted attempt ends without a result, and its slot is free": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server, 200);
      const attemptId = give(socket, server, 1_000);
      await nextFrame(socket, "accepted");
      socket.say({ type: "abort", attemptId, reason: "canceled" });
      for (;;) {
        const frame = await next(socket);
        assert.notEqual(frame.type, "result");
        if (frame.type === "heartbeat" && frame.running.length === 0) break;
      }
    }),

  "heartbeats come as often as the server said, numbered and with what runs": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server, 200);
      const attemptId = give(socket, server, 1_000);
      await nextFrame(socket, "accepted");
      const first = await nextFrame(socket, "heartbeat");
      const second = await nextFrame(socket, "heartbeat");
      assert.equal(second.seq, first.seq + 1);
      assert.deepEqual(
        second.running.map((each) => each.attemptId),
        [attemptId],
      );
      assert.equal(second.free, 1);
      socket.say({ type: "heartbeatAck", seq: second.seq, stop: [{ attemptId, reason: "canceled" }] });
      while ((await nextFrame(socket, "heartbeat")).running.length > 0);
    }),

  "a task beyond its slots is rejected": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server);
      for (let slot = 0; slot < 2; slot++) give(socket, server, 1_000);
      const third = give(socket, server);
      assert.equal((await nextFrame(socket, "rejected")).attemptId, third);
    }),

  "a node whose connection breaks comes back with what it runs, and brings the result": (node) =>
    withServer(node, async (server) => {
      const first = await registered(server);
      const attemptId = give(first, server, 10);
      await nextFrame(first, "accepted");
      first.cut();
      const socket = await server.connection();
      assert.deepEqual((await nextFrame(socket, "register")).held, [{ attemptId, state: "running" }]);
      socket.say(registeredFrame(10_000, [attemptId]));
      assert.equal((await finalOf(socket, attemptId)).type, "result");
      socket.say({ type: "ack", attemptId, verdict: "accepted" });
    }),

  "a result that nobody acknowledged outlives its process, and is sent again until somebody does": (node) =>
    withServer(node, async (server) => {
      const first = await registered(server);
      const attemptId = give(first, server);
      const made = await finalOf(first, attemptId);
      await node.kill();
      await node.start(`ws://127.0.0.1:${server.port}`);
      const second = await server.connection();
      assert.deepEqual((await nextFrame(second, "register")).held, [{ attemptId, state: "finished" }]);
      second.say(registeredFrame(10_000, [attemptId]));
      assert.deepEqual(await finalOf(second, attemptId), made);
      second.say({ type: "ack", attemptId, verdict: "stale" });
      await second.settled();
      second.cut();
      const third = await server.connection();
      assert.deepEqual((await nextFrame(third, "register")).held, []);
    }),

  "frames that it does not know, and frames that are none, are passed over": (node) =>
    withServer(node, async (server) => {
      const socket = await registered(server, 200);
      for (const frame of ["no JSON", "[]", { type: "later" }, { type: "task", attemptId: "x" }]) socket.say(frame);
      await nextFrame(socket, "heartbeat");
    }),

  "a server that does not answer register is spoken to in v1 after 3 s": (node) =>
    withServer(node, async (server) => {
      const socket = await server.connection();
      await nextFrame(socket, "register");
      await runV1(socket, await socket.next());
    }),

  "a frame without a type makes it speak v1 at once": (node) =>
    withServer(node, async (server) => {
      const socket = await server.connection();
      await nextFrame(socket, "register");
      giveV1(socket, "the first");
      const register = await socket.next();
      assert.equal((await socket.nextOf("result")).taskId, "the first");
      await runV1(socket, register);
    }),
};

async function withServer(node: NodeUnderTest, run: (server: StandInServer) => Promise<void>): Promise<void> {
  await using server = await StandInServer.start();
  await node.start(`ws://127.0.0.1:${server.port}`);
  try {
    await run(server);
  } finally {
    await node.kill();
  }
}

function registeredFrame(heartbeatMs = 10_000, keep: readonly string[] = []): object {
  return { type: "registered", protocol: 2, leaseMs: 30_000, heartbeatMs, frameBytesMax: 1_048_576, keep, stop: [] };
}

/** The node's next connection, registered. What it kept of an earlier case is acknowledged. */
async function registered(server: StandInServer, heartbeatMs?: number): Promise<RawSocket> {
  const socket = await server.connection();
  await nextFrame(socket, "register");
  socket.say(registeredFrame(heartbeatMs));
  return socket;
}

function give(socket: RawSocket, server: StandInServer, steps = 2, attemptId: string = randomUUID()): string {
  const uploadUrl = `http://127.0.0.1:${server.port}/artifacts/${attemptId}/{n}`;
  const pipeline = { type: "standard", prompt: "a fox", model: "", width: 64, height: 64, steps, seed: 1 };
  socket.say({ type: "task", attemptId, pipeline, limitMs: 60_000, uploadUrl });
  return attemptId;
}

/** The node's next frame, which has to be one of the page's. */
async function next(socket: RawSocket): Promise<NodeFrame> {
  return NodeFrame.parse(await socket.next());
}

async function nextFrame<Type extends NodeFrame["type"]>(
  socket: RawSocket,
  type: Type,
): Promise<Extract<NodeFrame, { type: Type }>> {
  for (;;) {
    const frame = await next(socket);
    if (frame.type === type) return frame as Extract<NodeFrame, { type: Type }>;
  }
}

async function finalOf(socket: RawSocket, attemptId: string): Promise<ResultFrame | ErrorFrame> {
  for (;;) {
    const frame = await next(socket);
    if ((frame.type === "result" || frame.type === "error") && frame.attemptId === attemptId) return frame;
  }
}

function giveV1(socket: RawSocket, taskId: string): void {
  const options = { prompt: "a fox", model: "", size: { width: 64, height: 64 }, steps: 2 };
  socket.say({ taskId, options, comfyOptions: null });
}

/** The node has said this in v1's words; it runs a task in them. */
async function runV1(socket: RawSocket, register: Record<string, unknown>): Promise<void> {
  assert.equal(register.type, "register");
  assert.equal(typeof register.node_id, "string");
  assert.equal(typeof register.metadata, "object");
  giveV1(socket, "any text is an id");
  const result = await socket.nextOf("result");
  assert.deepEqual([result.taskId, result.status], ["any text is an id", "ready"]);
  assert.match(String((result.resultsUrl as unknown[])[0]), /^data:image\/png;base64,/);
}
