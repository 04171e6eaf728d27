import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { ServerFrame } from "../protocol-2/server-frames.ts";
import { rawFrame } from "./raw-frame.ts";
import { RawSocket } from "./raw-socket.ts";
import { joinAs, nextTask, PICTURE, registerOf, resultOf, uploadFor, verdictOf } from "./stand-in-node.ts";

/** A server that is held against the protocol's page: idle, with no node connected and no task waiting. */
export interface ServerUnderTest {
  /** Port of 127.0.0.1 on which nodes connect, path `/`, without a token. */
  readonly port: number;
  /** Submits a standard task for one picture. */
  submit(): Promise<string>;
  /** The task's state in the words of `/v2`. */
  stateOf(taskId: string): Promise<string>;
}

/** What a server has to do, each a sentence and the sockets that show it. A case rejects where it does not. */
export const SERVER_CASES: Readonly<Record<string, (server: ServerUnderTest) => Promise<void>>> = {
  "register is answered by `registered`, with its terms": async ({ port }) => {
    const { socket, registered } = await joinAs(port, "n");
    ServerFrame.parse(registered);
    assert.equal(registered.type, "registered");
    assert.deepEqual([registered.keep, registered.stop], [[], []]);
    socket.cut();
  },

  "an attempt goes from `task` to `ack`, and the same result again is a duplicate": async ({
    port,
    submit,
    stateOf,
  }) => {
    const { socket } = await joinAs(port, "n");
    const taskId = await submit();
    const task = await nextTask(socket);
    assert.ok(task.limitMs > 0 && task.uploadUrl.includes("{n}"));
    assert.notEqual(task.attemptId, taskId);
    socket.say({ type: "accepted", attemptId: task.attemptId });
    socket.say({ type: "progress", attemptId: task.attemptId, value: 0.5 });
    assert.equal(await uploadFor(task), 201);
    socket.say(resultOf(task.attemptId));
    assert.equal(await verdictOf(socket, task.attemptId), "accepted");
    assert.equal(await stateOf(taskId), "succeeded");
    socket.say(resultOf(task.attemptId));
    assert.equal(await verdictOf(socket, task.attemptId), "duplicate");
    socket.cut();
  },

  "a result of an attempt that nobody knows is stale": async ({ port }) => {
    const { socket } = await joinAs(port, "n");
    const attemptId = randomUUID();
    socket.say({ type: "result", attemptId, artifacts: [] });
    assert.equal(await verdictOf(socket, attemptId), "stale");
    socket.cut();
  },

  "a result whose pictures are not there is answered by `upload`": async ({ port, submit, stateOf }) => {
    const { socket } = await joinAs(port, "n");
    const taskId = await submit();
    const { attemptId } = await nextTask(socket);
    socket.say(resultOf(attemptId));
    const again = await socket.nextOf("upload");
    assert.deepEqual([again.attemptId, again.missing], [attemptId, [0]]);
    assert.equal(await uploadFor({ uploadUrl: String(again.uploadUrl) }), 201);
    socket.say(resultOf(attemptId));
    assert.equal(await verdictOf(socket, attemptId), "accepted");
    assert.equal(await stateOf(taskId), "succeeded");
    socket.cut();
  },

  "a node that breaks off and comes back with its attempt keeps it": async ({ port, submit, stateOf }) => {
    const first = await joinAs(port, "n");
    const taskId = await submit();
    const task = await nextTask(first.socket);
    first.socket.cut();
    const held = [{ attemptId: task.attemptId, state: "running" }];
    const { socket, registered } = await joinAs(port, "n", { held });
    assert.deepEqual([registered.keep, registered.stop], [[task.attemptId], []]);
    await uploadFor(task);
    socket.say(resultOf(task.attemptId));
    assert.equal(await verdictOf(socket, task.attemptId), "accepted");
    assert.equal(await stateOf(taskId), "succeeded");
    socket.cut();
  },

  "what a node holds that nobody gave it is to be stopped, unless it is finished: that gets a verdict": async ({
    port,
  }) => {
    const [running, finished] = [randomUUID(), randomUUID()];
    const held = [
      { attemptId: running, state: "running" },
      { attemptId: finished, state: "finished" },
    ];
    const { socket, registered } = await joinAs(port, "n", { held });
    assert.deepEqual([registered.keep, registered.stop], [[finished], [running]]);
    socket.cut();
  },

  "an attempt that its node does not list any more goes to another at once": async ({ port, submit }) => {
    const first = await joinAs(port, "n");
    await submit();
    const lost = await nextTask(first.socket);
    first.socket.cut();
    const { socket } = await joinAs(port, "n", { bootId: "boot-2" });
    const task = await nextTask(socket);
    assert.notEqual(task.attemptId, lost.attemptId);
    await finish(socket, task.attemptId, task.uploadUrl);
  },

  "a rejected attempt goes to another node": async ({ port, submit }) => {
    const { socket } = await joinAs(port, "n");
    await submit();
    const { attemptId } = await nextTask(socket);
    socket.say({ type: "rejected", attemptId, reason: "busy" });
    const other = await joinAs(port, "other");
    const task = await nextTask(other.socket);
    await finish(other.socket, task.attemptId, task.uploadUrl);
    socket.cut();
  },

  "a retryable error is acknowledged and the task's own fault ends the task": async ({ port, submit, stateOf }) => {
    const { socket } = await joinAs(port, "n");
    const taskId = await submit();
    const { attemptId } = await nextTask(socket);
    socket.say({ type: "error", attemptId, code: "task_invalid", message: "no such sampler", retryable: false });
    assert.equal(await verdictOf(socket, attemptId), "accepted");
    assert.equal(await stateOf(taskId), "failed");
    socket.cut();
  },

  "a heartbeat is answered with its number, and stops what the node was not given": async ({ port }) => {
    const { socket } = await joinAs(port, "n");
    const attemptId = randomUUID();
    socket.say({ type: "heartbeat", seq: 41, free: 0, running: [{ attemptId, progress: 0.1 }] });
    assert.deepEqual(await socket.nextOf("heartbeatAck"), {
      type: "heartbeatAck",
      seq: 41,
      stop: [{ attemptId, reason: "lost" }],
    });
    socket.cut();
  },

  "a node that leaves hands back what it will not finish": async ({ port, submit }) => {
    const { socket } = await joinAs(port, "n");
    await submit();
    const { attemptId } = await nextTask(socket);
    socket.say({ type: "leaving", handedBack: [attemptId] });
    const other = await joinAs(port, "other");
    const task = await nextTask(other.socket);
    await finish(other.socket, task.attemptId, task.uploadUrl);
    socket.cut();
  },

  "frames of unknown types and frames that can't be read are passed over": async ({ port }) => {
    const { socket } = await joinAs(port, "n");
    for (const frame of ["no JSON", "[]", { type: "later" }, { type: "progress", attemptId: "x", value: "half" }])
      socket.say(frame);
    socket.say({ type: "heartbeat", seq: 1, free: 1, running: [] });
    assert.deepEqual(await socket.nextOf("heartbeatAck"), { type: "heartbeatAck", seq: 1, stop: [] });
    socket.cut();
  },

  "the hundredth frame in a minute that can't be read closes with 1008": async ({ port }) => {
    const { socket } = await joinAs(port, "n");
    for (let i = 0; i < 100; i++) socket.say("no JSON");
    assert.equal(await socket.closed, 1008);
  },

  "a register of another version closes with 1008": async ({ port }) => {
    const socket = await RawSocket.connect(port);
    socket.say(registerOf("n", { protocol: 3 }));
    assert.equal(await socket.closed, 1008);
  },

  "more than 64 KiB before register close with 1009": async ({ port }) => {
    const socket = await RawSocket.connect(port);
    for (let i = 0; i < 70; i++) socket.say({ type: "later", text: "a".repeat(1_000) });
    assert.equal(await socket.closed, 1009);
  },

  "a frame over `frameBytesMax` closes with 1009": async ({ port }) => {
    const { socket, registered } = await joinAs(port, "n");
    socket.socket.write(rawFrame("", { declaredBytes: Number(registered.frameBytesMax) + 1 }));
    assert.equal(await socket.closed, 1009);
  },

  "the newest connection of a node id has it, and the older one is closed with 4001": async ({ port, submit }) => {
    const older = await joinAs(port, "n");
    const { socket } = await joinAs(port, "n");
    assert.equal(await older.socket.closed, 4001);
    await submit();
    const task = await nextTask(socket);
    await finish(socket, task.attemptId, task.uploadUrl);
  },

  "a node of v1 gets frames of v1's keys alone, and works beside those of protocol 2": async ({
    port,
    submit,
    stateOf,
  }) => {
    const socket = await RawSocket.connect(port);
    socket.say({ type: "register", node_id: "old", metadata: {} });
    const taskId = await submit();
    const task = await socket.next();
    assert.deepEqual(Object.keys(task), ["taskId", "options", "comfyOptions"]);
    assert.equal(task.taskId, taskId);
    const resultsUrl = [`data:image/png;base64,${PICTURE.toString("base64")}`];
    socket.say({ type: "result", status: "ready", taskId, resultsUrl });
    while ((await stateOf(taskId)) !== "succeeded") await socket.settled();
    assert.deepEqual(socket.untaken, []);
    socket.say("close");
    assert.equal(await socket.closed, 1000);
  },
};

async function finish(socket: RawSocket, attemptId: string, uploadUrl: string): Promise<void> {
  await uploadFor({ uploadUrl });
  socket.say(resultOf(attemptId));
  assert.equal(await verdictOf(socket, attemptId), "accepted");
  socket.cut();
}
