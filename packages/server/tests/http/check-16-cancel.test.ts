import { expect, test } from "@jest/globals";
import { Peer } from "../sessions/support/peer.ts";
import { registerFrame } from "../sessions/support/setup.ts";
import { api } from "../support/api.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };
/** Tasks that are canceled while a node asks for work. More by hand: `CANCEL_RACES=10000`. */
const RACES = Number(process.env.CANCEL_RACES ?? 1_000);
const AT_ONCE = 20;

test(`check 16: of ${RACES} tasks that are canceled while nodes take work, none is given out after its 200`, async () => {
  await using server = await RealServer.start();
  const node = await Peer.connect(server.url.replace(/^http/, "ws"), { perMessageDeflate: false });
  node.say(registerFrame("node-2", { slots: 4 }));
  await node.next();
  const ids: string[] = [];
  let given = 0;
  let told = 0;
  node.webSocket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as { type: string; attemptId: string };
    const end = () =>
      node.say({ type: "error", attemptId: frame.attemptId, code: "test", message: "no", retryable: false });
    if (frame.type === "abort") {
      told += 1;
      end();
    }
    if (frame.type !== "task") return;
    given += 1;
    node.say({ type: "accepted", attemptId: frame.attemptId });
    // Its slot is soon free again, so that the node goes on asking: at once, or when the cancel wins.
    if (given % 2 === 0) end();
  });
  const race = async (): Promise<string> => {
    const calls = api(server.url);
    const id = String((await calls.post("/v2/tasks").send(FOX)).body.id);
    const answer = await calls.post(`/v2/tasks/${id}/cancel`).expect(200);
    ids.push(id);
    return answer.body.state;
  };
  const states: Record<string, number> = {};
  for (let at = 0; at < RACES; at += AT_ONCE) {
    for (const state of await Promise.all(Array.from({ length: AT_ONCE }, race)))
      states[state] = (states[state] ?? 0) + 1;
  }
  await node.settled();
  for (const id of ids) {
    const { body } = await api(server.url).get(`/v2/tasks/${id}`);
    expect(["canceled", "failed"]).toContain(body.state);
    // What was given out was given out before the answer: the task's own log of attempts says so.
    if (body.state !== "canceled") continue;
    for (const attempt of body.attempts)
      expect(Date.parse(attempt.openedAt)).toBeLessThanOrEqual(Date.parse(body.settledAt));
  }
  console.info(
    `check 16: ${RACES} races, ended ${JSON.stringify(states)}, ${given} given out before their cancel, ${told} aborts told, 0 given out after`,
  );
  expect(states.canceled).toBeGreaterThan(0);
  node.terminate();
}, 300_000);

test("check 16: a running task's node is told at once, its slot is free again, and its late result changes nothing", async () => {
  await using server = await RealServer.start();
  const calls = api(server.url);
  const node = await Peer.connect(server.url.replace(/^http/, "ws"), { perMessageDeflate: false });
  node.say(registerFrame("node-2", { slots: 1 }));
  await node.next();
  const toldMs: number[] = [];
  const freeMs: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const { id } = (await calls.post("/v2/tasks").send(FOX)).body;
    const { attemptId } = await node.next<{ attemptId: string }>();
    node.say({ type: "accepted", attemptId });
    const next = (await calls.post("/v2/tasks").send(FOX)).body.id;
    const startedAtMs = performance.now();
    const answered = calls.post(`/v2/tasks/${id}/cancel`).expect(200);
    const [{ body }, abort] = await Promise.all([answered, node.next()]);
    toldMs.push(performance.now() - startedAtMs);
    expect([body.state, abort]).toEqual(["canceled", { type: "abort", attemptId, reason: "canceled" }]);
    // A node that obeys says that it stopped, and may have been quicker with its result.
    node.say({ type: "result", attemptId, artifacts: [] });
    let frame = await node.next<{ type: string; attemptId: string; verdict?: string }>();
    const verdicts: (string | undefined)[] = [];
    while (frame.type !== "task") {
      verdicts.push(frame.verdict);
      frame = await node.next();
    }
    freeMs.push(performance.now() - startedAtMs);
    const again = await calls.post(`/v2/tasks/${id}/cancel`).expect(200);
    expect([again.body.state, again.body.result]).toEqual(["canceled", null]);
    expect(verdicts.every((verdict) => verdict === "canceled" || verdict === "stale")).toBe(true);
    await calls.post(`/v2/tasks/${next}/cancel`).expect(200);
    expect(await node.next()).toMatchObject({ type: "abort", attemptId: frame.attemptId });
    node.say({ type: "error", attemptId: frame.attemptId, code: "canceled", message: "stopped", retryable: false });
    await node.next();
  }
  const p99 = (values: number[]) => Math.round(values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0);
  console.info(
    `check 16: 50 running tasks canceled, node told after ${p99(toldMs)} ms (p99), slot free after ${p99(freeMs)} ms (p99)`,
  );
  node.terminate();
}, 120_000);

test("check 16: a legacy node cannot be told, its slot is free when it answers, and the answer is dropped", async () => {
  await using server = await RealServer.start();
  const calls = api(server.url);
  await using node = await LegacyNode.join(server.url, "node-1");
  const { id } = (await calls.post("/v2/tasks").send(FOX)).body;
  const onWire = await node.nextTask();
  const next = (await calls.post("/v2/tasks").send(FOX)).body.id;
  await calls.post(`/v2/tasks/${id}/cancel`).expect(200);
  expect((await calls.get(`/v2/tasks/${next}`)).body.state).toBe("queued");
  node.finish(onWire);
  node.finish(await node.nextTask());
  expect((await calls.get(`/v2/tasks/${next}`).set("prefer", "wait=30")).body.state).toBe("succeeded");
  const { body } = await calls.get(`/v2/tasks/${id}`);
  expect([body.state, body.result]).toEqual(["canceled", null]);
}, 60_000);
