import { expect, test } from "@jest/globals";
import { Driver, newAttemptId, of, registered, sent, taskFrame } from "./support/driver.ts";

const V1_TASK = { options: { prompt: "a", model: "", size: null, steps: null }, comfyOptions: null };

test("without an answer to register for 3 s the node speaks v1", () => {
  const node = new Driver();
  node.open();
  expect(node.pass(2_999)).toEqual([]);
  expect(node.pass(1)).toEqual([{ type: "sendV1Register" }]);
  expect(node.session.phase).toBe("v1");
});

test("a frame without a type makes it v1 at once", () => {
  const node = new Driver();
  node.open();
  const effects = node.feed({ type: "v1Task", frame: { taskId: "any id", ...V1_TASK } });
  expect(effects.map(({ type }) => type)).toEqual(["sendV1Register", "run"]);
});

test("a server that closes with 1008 before it answers is spoken to in v1 the next time, and in protocol 2 after that", () => {
  const node = new Driver();
  node.open();
  node.feed({ type: "closed", code: 1008 });
  expect(node.open()).toEqual([{ type: "sendV1Register" }]);
  node.feed({ type: "closed", code: null });
  expect(sent(node.open())).toMatchObject([{ type: "register", protocol: 2 }]);
});

test("a protocol-2 server that answers late is a protocol-2 server all the same", () => {
  const node = new Driver();
  node.open();
  node.pass(5_000);
  expect(node.session.phase).toBe("v1");
  node.hear(registered());
  expect(node.session.phase).toBe("registered");
  expect(sent(node.hear(taskFrame(newAttemptId())))).toMatchObject([{ type: "accepted" }]);
});

test("a result for a protocol-2 server never goes out as a v1 frame, which nobody acknowledges", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  node.feed({ type: "closed", code: null });
  node.open();
  expect(node.pass(3_000)).toEqual([{ type: "sendV1Register" }]);
  expect(of(node.hear(registered()), "upload")).toMatchObject([{ attemptId }]);
});

test("a v1 result is forgotten when it is written to the socket, and sent again where it was not", () => {
  const node = new Driver();
  node.open();
  node.pass(3_000);
  node.feed({ type: "v1Task", frame: { taskId: "t", ...V1_TASK } });
  const attemptId = newAttemptId();
  node.feed({ type: "v1Task", frame: { taskId: attemptId, ...V1_TASK } });
  expect(node.finish(attemptId)).toEqual([{ type: "sendV1Final", attemptId }]);
  node.feed({ type: "closed", code: null });
  node.open();
  expect(node.pass(3_000)).toEqual([{ type: "sendV1Register" }, { type: "sendV1Final", attemptId }]);
  expect(node.feed({ type: "deliveredV1", attemptId })).toEqual([{ type: "forget", attemptId }]);
});

test("what came over v1 is nothing to a protocol-2 server: it was given out again when the connection ended", () => {
  const node = new Driver();
  node.open();
  node.feed({ type: "v1Task", frame: { taskId: "t", ...V1_TASK } });
  node.feed({ type: "closed", code: null });
  expect(sent(node.open())).toMatchObject([{ held: [] }]);
  expect(of(node.hear(registered()), "abort")).toEqual([{ type: "abort", attemptId: "t" }]);
  expect(sent(node.passHearing(11_000))).toMatchObject([{ type: "heartbeat", free: 1, running: [] }]);
});

test("a v1 server, which may never say anything by itself, is asked by pings whether it is there", () => {
  const node = new Driver();
  node.open();
  node.pass(3_000);
  expect(of(node.pass(10_000), "ping")).toHaveLength(1);
  node.feed({ type: "heard" });
  expect(of(node.pass(20_000), "close")).toEqual([]);
  expect(of(node.pass(5_000), "close")).toHaveLength(1);
});

test("a v1 node that leaves says so in v1's words", () => {
  const node = new Driver();
  node.open();
  node.pass(3_000);
  expect(node.feed({ type: "drain" }).map(({ type }) => type)).toEqual(["sendV1Close", "close", "exit"]);
});
