import { FOREIGN_NODE_ID } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { CAPABILITIES, Driver, newAttemptId, of, registered, result, sent, taskFrame } from "./support/driver.ts";

test("a node registers with what it holds: what runs, and what it finished without its server", () => {
  const node = new Driver({ slots: 3 });
  node.register();
  const [running, finished] = [node.give(), node.give()];
  node.finish(finished);
  node.feed({ type: "closed", code: null });
  expect(sent(node.open())).toEqual([
    {
      type: "register",
      protocol: 2,
      nodeId: "n",
      bootId: "boot",
      slots: 3,
      capabilities: CAPABILITIES,
      held: [
        { attemptId: running, state: "running" },
        { attemptId: finished, state: "finished" },
      ],
    },
  ]);
});

test("what the server says to stop is stopped where it runs, and forgotten where it is finished", () => {
  const node = new Driver();
  node.register();
  const [running, finished] = [node.give(), node.give()];
  node.finish(finished);
  node.feed({ type: "closed", code: null });
  const effects = node.register([running, finished]);
  expect(of(effects, "abort").map(({ attemptId }) => attemptId)).toEqual([running]);
  expect(of(effects, "forget").map(({ attemptId }) => attemptId)).toEqual([finished]);
  expect(of(effects, "upload")).toEqual([]);
});

test("what the server keeps goes on, and its end is told on the new connection", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.feed({ type: "closed", code: null });
  expect(of(node.register(), "abort")).toEqual([]);
  node.finish(attemptId);
  expect(sent(node.feed({ type: "uploaded", attemptId }))).toEqual([result(attemptId)]);
});

test("a result is told only after its pictures are uploaded", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  const effects = node.finish(attemptId);
  expect(sent(effects)).toEqual([]);
  expect(of(effects, "upload")).toEqual([
    { type: "upload", attemptId, uploadUrl: taskFrame(attemptId).uploadUrl, missing: null },
  ]);
  expect(sent(node.feed({ type: "uploaded", attemptId }))).toEqual([result(attemptId)]);
});

test("an upload that failed is tried again in 5 s, without a new connection", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  node.feed({ type: "uploadFailed", attemptId });
  expect(of(node.pass(4_999), "upload")).toEqual([]);
  expect(of(node.pass(1), "upload")).toHaveLength(1);
});

test("where uploads to a URL of this connection fail for a minute, the result is told without them, and a fresh URL has as long", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  const results = (): number => {
    node.feed({ type: "heard" });
    const effects = [...node.feed({ type: "uploadFailed", attemptId }), ...node.pass(5_000)];
    return sent(effects).filter(({ type }) => type === "result").length;
  };
  const tries = () => Array.from({ length: 13 }, results);
  const once = [...Array.from({ length: 12 }, () => 0), 1];
  expect(tries()).toEqual(once);
  node.hear({ type: "upload", attemptId, uploadUrl: "http://server/new/{n}", missing: [0] });
  expect(tries()).toEqual(once);
});

test("a server that says itself that it can't take pictures at present is waited for, without a word", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  for (let tries = 0; tries < 30; tries++) {
    node.feed({ type: "heard" });
    const effects = [...node.feed({ type: "uploadFailed", attemptId, isBusy: true }), ...node.pass(5_000)];
    expect(sent(effects).filter(({ type }) => type === "result")).toEqual([]);
    expect(of(effects, "upload")).toHaveLength(1);
  }
});

test("a URL of an earlier connection that fails is asked about at once, and on every connection from then on", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  node.feed({ type: "closed", code: null });
  expect(of(node.register(), "upload")).toHaveLength(1);
  expect(sent(node.feed({ type: "uploadFailed", attemptId }))).toEqual([result(attemptId)]);
  node.feed({ type: "closed", code: null });
  const effects = node.register();
  expect(of(effects, "upload")).toEqual([]);
  expect(sent(effects)).toEqual([result(attemptId)]);
  const fresh = { type: "upload" as const, attemptId, uploadUrl: "http://server/new/{n}", missing: [0] };
  expect(of(node.hear(fresh), "upload")).toEqual([fresh]);
  expect(sent(node.feed({ type: "uploaded", attemptId }))).toEqual([result(attemptId)]);
});

test("what an earlier process finished is asked about at once where its URL fails, and forgotten with its verdict", () => {
  const attemptId = newAttemptId();
  const node = new Driver({ kept: [{ final: result(attemptId), uploadUrl: "http://elsewhere/{n}" }] });
  node.register();
  expect(sent(node.feed({ type: "uploadFailed", attemptId }))).toEqual([result(attemptId)]);
  expect(node.hear({ type: "ack", attemptId, verdict: "stale" })).toEqual([{ type: "forget", attemptId }]);
  expect(node.session.attempts).toEqual([]);
});

test("pictures that the server misses are uploaded to its new URL, and the result is told again", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  node.feed({ type: "uploaded", attemptId });
  const effects = node.hear({ type: "upload", attemptId, uploadUrl: "http://server/new/{n}", missing: [0] });
  expect(of(effects, "upload")).toEqual([
    { type: "upload", attemptId, uploadUrl: "http://server/new/{n}", missing: [0] },
  ]);
  expect(sent(node.feed({ type: "uploaded", attemptId }))).toEqual([result(attemptId)]);
});

test("an error is told at once", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  const error = { type: "error", attemptId, code: "engine_down", message: "gone", retryable: true } as const;
  expect(sent(node.finish(attemptId, error))).toEqual([error]);
});

test.each(["accepted", "duplicate", "stale", "canceled"] as const)(
  "the verdict %s lets the node forget a result",
  (verdict) => {
    const node = new Driver();
    node.register();
    const attemptId = node.give();
    node.finish(attemptId);
    node.feed({ type: "uploaded", attemptId });
    expect(node.hear({ type: "ack", attemptId, verdict })).toEqual([{ type: "forget", attemptId }]);
    expect(node.session.attempts).toEqual([]);
  },
);

test("a result that is not acknowledged is told again every 30 s, and after each reconnect", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.finish(attemptId);
  node.feed({ type: "uploaded", attemptId });
  const results = (effects: Parameters<typeof sent>[0]) => sent(effects).filter(({ type }) => type === "result");
  expect(results(node.passHearing(29_999))).toHaveLength(0);
  expect(results(node.passHearing(1))).toHaveLength(1);
  expect(results(node.passHearing(30_000))).toHaveLength(1);
  node.feed({ type: "closed", code: null });
  expect(results(node.register())).toHaveLength(1);
});

test("what an earlier process finished is brought back", () => {
  const attemptId = newAttemptId();
  const uploadUrl = "http://server/x/{n}";
  const node = new Driver({ kept: [{ final: result(attemptId), uploadUrl }] });
  expect(sent(node.open())).toMatchObject([{ held: [{ attemptId, state: "finished" }] }]);
  expect(of(node.hear(registered()), "upload")).toMatchObject([{ attemptId, uploadUrl }]);
});

test("the same attempt again is never run twice", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  const again = node.hear(taskFrame(attemptId));
  expect(of(again, "run")).toEqual([]);
  expect(sent(again)).toEqual([{ type: "accepted", attemptId }]);
  node.finish(attemptId);
  node.feed({ type: "uploaded", attemptId });
  const late = node.hear(taskFrame(attemptId));
  expect(of(late, "run")).toEqual([]);
  expect(sent(late)).toEqual([result(attemptId)]);
});

test("a task beyond the slots, without a ready engine, or after a drain is rejected with its reason", () => {
  const node = new Driver({ slots: 1 });
  node.register();
  node.give();
  const rejected = () => sent(node.hear(taskFrame(newAttemptId())));
  expect(rejected()).toMatchObject([{ type: "rejected", reason: "no free slot" }]);
  node.feed({ type: "capabilitiesChanged", capabilities: { ...CAPABILITIES, ready: false } });
  expect(rejected()).toMatchObject([{ type: "rejected", reason: "the engine is not ready" }]);
  node.hear({ type: "drain" });
  expect(rejected()).toMatchObject([{ type: "rejected", reason: "draining" }]);
});

test("a drain by the server holds for its connection", () => {
  const node = new Driver();
  node.register();
  node.hear({ type: "drain" });
  node.feed({ type: "closed", code: null });
  node.register();
  expect(sent(node.hear(taskFrame(newAttemptId())))).toMatchObject([{ type: "accepted" }]);
});

test("heartbeats come every 10 s ± 10 % with what runs, and stop what the server says", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  node.feed({ type: "progressed", attemptId, value: 0.5, stage: "drawing" });
  const beats = sent(node.passHearing(100_000)).filter((frame) => frame.type === "heartbeat");
  expect(beats.length).toBeGreaterThanOrEqual(9);
  expect(beats.length).toBeLessThanOrEqual(11);
  expect(beats[0]).toEqual({ type: "heartbeat", seq: 1, free: 1, running: [{ attemptId, progress: 0.5 }] });
  const effects = node.hear({ type: "heartbeatAck", seq: 1, stop: [{ attemptId, reason: "canceled" }] });
  expect(effects).toEqual([{ type: "abort", attemptId }]);
});

test("progress never falls, is told at most five times a second, and is no number that is none", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  const told: number[] = [];
  const progress = (value: number, ms: number) => {
    for (const frame of sent(node.feed({ type: "progressed", attemptId, value, stage: "" })))
      if (frame.type === "progress") told.push(frame.value);
    node.pass(ms);
  };
  progress(0.2, 200);
  progress(0.1, 200);
  progress(Number.NaN, 200);
  progress(0.3, 199);
  progress(0.4, 1);
  progress(0.5, 200);
  progress(7, 200);
  expect(told).toEqual([0.2, 0.3, 0.5, 1]);
});

test("a preview over 512 KiB stays where it is", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  const preview = (bytes: number) =>
    node.feed({ type: "previewed", attemptId, mime: "image/png", bytes: new Uint8Array(bytes) });
  expect(preview(512 * 1_024)).toHaveLength(1);
  expect(preview(512 * 1_024 + 1)).toEqual([]);
  expect(preview(0)).toEqual([]);
});

test("a server that is silent for 25 s is given up, and any byte counts", () => {
  const node = new Driver();
  node.register();
  node.pass(20_000);
  node.feed({ type: "heard" });
  expect(of(node.pass(24_999), "close")).toEqual([]);
  expect(of(node.pass(1), "close")).toMatchObject([{ code: 1006 }]);
  expect(node.session.phase).toBe("waiting");
});

test("a node reconnects after 0.25 s, 0.5 s … 10 s, less a jitter of up to half", () => {
  const node = new Driver();
  node.feed({ type: "started" });
  for (const fullMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
    node.feed({ type: "closed", code: null });
    const waitMs = (node.session.nextDeadlineMs() ?? 0) - node.nowMs;
    expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2);
    expect(waitMs).toBeLessThanOrEqual(fullMs);
    expect(of(node.pass(fullMs), "connect")).toHaveLength(1);
  }
});

test("two nodes that lost their server together do not come back together", () => {
  const waits = ["a", "b"].map((nodeId) => {
    const node = new Driver({ nodeId });
    node.feed({ type: "started" });
    node.feed({ type: "closed", code: null });
    return node.session.nextDeadlineMs();
  });
  expect(waits[0]).not.toBe(waits[1]);
});

test("a connection that ends as soon as it is made does not make the node hammer", () => {
  const node = new Driver();
  let connects = 0;
  node.feed({ type: "started" });
  const untilMs = 60_000;
  while (node.nowMs < untilMs) {
    node.feed({ type: "opened" });
    node.hear(registered());
    node.feed({ type: "closed", code: 1009 });
    node.pass((node.session.nextDeadlineMs() ?? untilMs) - node.nowMs);
    connects += 1;
  }
  expect(connects).toBeLessThan(20);
});

test.each([
  [1013, "is sent away for a minute"],
  [4001, "was replaced by another with its id"],
])("after the close code %i a node that %s waits half a minute at least", (code) => {
  const node = new Driver();
  node.register();
  node.feed({ type: "closed", code });
  expect(of(node.pass(29_999), "connect")).toEqual([]);
  expect(of(node.pass(30_001), "connect")).toHaveLength(1);
});

test("a node whose id belongs to another does not speak v1, and comes back in half a minute at least", () => {
  const node = new Driver();
  node.open();
  node.feed({ type: "closed", code: 1008, reason: FOREIGN_NODE_ID });
  expect(node.pass(29_999)).toEqual([]);
  expect(of(node.pass(30_001), "connect")).toHaveLength(1);
  expect(sent(node.feed({ type: "opened" }))).toMatchObject([{ type: "register", protocol: 2 }]);
});

test("a server that goes away for a moment is come back to when it says", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  expect(of(node.hear({ type: "reconnect", afterMs: 3_000 }), "close")).toMatchObject([{ code: 1000 }]);
  node.feed({ type: "closed", code: 1012 });
  expect(of(node.pass(2_999), "connect")).toEqual([]);
  expect(of(node.pass(1), "connect")).toHaveLength(1);
  expect(sent(node.feed({ type: "opened" }))).toMatchObject([{ held: [{ attemptId, state: "running" }] }]);
});

test("capabilities that do not fit before register follow it, and the node is not ready until then", () => {
  const models = Array.from({ length: 2_000 }, (_, i) => `a-model-with-a-rather-long-name-${i}.safetensors`);
  const capabilities = { ...CAPABILITIES, models };
  const node = new Driver({ capabilities });
  const [register] = sent(node.open());
  expect(Buffer.byteLength(JSON.stringify(register))).toBeLessThan(60 * 1_024);
  expect(register).toMatchObject({ capabilities: { ready: false, models: [] } });
  expect(sent(node.hear(registered()))).toEqual([{ type: "capabilities", capabilities }]);
});

test("the list of node classes is told where it is asked for, its hash always", () => {
  const capabilities = { ...CAPABILITIES, nodeClasses: ["KSampler", "LoadImage"], nodeClassesHash: "f00" };
  const node = new Driver({ capabilities });
  const [register] = sent(node.open());
  expect(register).toMatchObject({ capabilities: { nodeClassesHash: "f00" } });
  expect(register).not.toHaveProperty("capabilities.nodeClasses");
  node.hear(registered());
  expect(sent(node.hear({ type: "nodeClasses" }))).toEqual([{ type: "capabilities", capabilities }]);
});

test("capabilities that do not fit a frame lose their node classes first, then models", () => {
  const node = new Driver();
  node.open();
  node.hear({ ...registered(), frameBytesMax: 4_096 });
  const nodeClasses = Array.from({ length: 500 }, (_, i) => `NodeClass${i}`);
  const told = (models: string[]) => {
    node.feed({ type: "capabilitiesChanged", capabilities: { ...CAPABILITIES, models, nodeClasses } });
    return sent(node.hear({ type: "nodeClasses" }))[0];
  };
  expect(told(["a"])).toMatchObject({ capabilities: { models: ["a"] } });
  const frame = told(Array.from({ length: 1_000 }, (_, i) => `model-${i}`));
  expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThanOrEqual(4_096);
  expect(frame).toHaveProperty("capabilities.models.0", "model-0");
});

test("a drain finishes what runs, brings it home, takes nothing new and leaves", () => {
  const node = new Driver();
  node.register();
  const attemptId = node.give();
  expect(sent(node.feed({ type: "drain" }))).toEqual([{ type: "leaving", handedBack: [] }]);
  node.finish(attemptId);
  node.feed({ type: "uploaded", attemptId });
  expect(node.session.phase).toBe("registered");
  const effects = node.hear({ type: "ack", attemptId, verdict: "accepted" });
  expect(effects.map(({ type }) => type)).toEqual(["forget", "close", "exit"]);
});

test("a drain without a server goes on with what runs and still tries to bring it home", () => {
  const node = new Driver();
  node.register();
  node.give();
  node.feed({ type: "closed", code: null });
  node.feed({ type: "drain" });
  expect(of(node.pass(1_000), "connect")).toHaveLength(1);
  expect(node.session.phase).toBe("connecting");
});

test("a drain with nothing to do leaves at once; what it could not deliver stays on the disk", () => {
  const node = new Driver({ kept: [{ final: result(newAttemptId()), uploadUrl: "http://server/{n}" }] });
  node.feed({ type: "started" });
  const effects = node.feed({ type: "drain" });
  expect(of(effects, "exit")).toHaveLength(1);
  expect(of(effects, "forget")).toEqual([]);
});

test("leaving at once hands back what runs, and waits for nobody", () => {
  const node = new Driver();
  node.register();
  const [running, finished] = [node.give(), node.give()];
  node.finish(finished);
  const effects = node.feed({ type: "leave" });
  expect(sent(effects)).toEqual([{ type: "leaving", handedBack: [running] }]);
  expect(of(effects, "abort").map(({ attemptId }) => attemptId)).toEqual([running]);
  expect(effects.at(-1)).toEqual({ type: "exit" });
  expect(node.session.nextDeadlineMs()).toBeNull();
  expect(node.feed({ type: "tick" })).toEqual([]);
});
