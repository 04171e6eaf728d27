import { V2Explanation, V2Queue, V2Task } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { ADMIN_KEY, TestHttpServer } from "../support/http-server.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };
const WITH_MODEL = { pipeline: { type: "standard", prompt: "a fox", model: "xl" } };

test("a task that nothing in the fleet can run says so in its own body, with the reasons counted", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "a", models: ["sd15"] });
  server.fleet.add({ providerId: "b", models: ["sd15"] });
  server.fleet.add({ providerId: "c", models: ["xl"], cost: 99 });
  const created = await api(server.url).post("/v2/tasks").send(WITH_MODEL).expect(201);
  expect(V2Task.parse(created.body).blocked).toEqual({
    message:
      "Nobody can run it as things are: each of 2 nodes does not offer the model; one node costs more than the task pays.",
    reasons: [
      { code: "model_missing", message: "does not offer the model", nodes: 2 },
      { code: "too_expensive", message: "costs more than the task pays", nodes: 1 },
    ],
  });
  const paying = await api(server.url)
    .post("/v2/tasks")
    .send({ ...WITH_MODEL, maxCost: 100 });
  expect(V2Task.parse(paying.body).blocked).toBeNull();
});

test("without any node a task is blocked for the want of one", async () => {
  await using server = await TestHttpServer.start();
  const { body } = await api(server.url).post("/v2/tasks").send(FOX);
  expect(body.blocked).toEqual({ message: "No node is connected; it waits for one.", reasons: [] });
  const explained = await api(server.url).get(`/v2/tasks/${body.id}/explain`).expect(200);
  expect(V2Explanation.parse(explained.body)).toMatchObject({ code: "no_nodes", nodes: [], blocked: { reasons: [] } });
});

test("what would become of a task is told with every node's reasons and scores, best first, and nothing is stored", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "dear", models: ["xl"], cost: 9 });
  server.fleet.add({ providerId: "cheap", models: ["xl"], cost: 2 });
  server.fleet.add({ providerId: "other", models: ["sd15"] });
  const { body } = await api(server.url)
    .post("/v2/explain")
    .send({ ...WITH_MODEL, timeToMoneyRatio: 0 })
    .expect(200);
  const explained = V2Explanation.parse(body);
  expect(explained).toMatchObject({ taskId: null, state: null, code: "next", blocked: null, nodesLeftOut: 0 });
  expect(explained.nodes.map(({ nodeId, eligible }) => [nodeId, eligible])).toEqual([
    ["cheap", true],
    ["dear", true],
    ["other", false],
  ]);
  expect(explained.nodes[0]?.score).toMatchObject({ cost: 2, score: 2 });
  expect(explained.nodes[2]?.reasons).toEqual([{ code: "model_missing", message: "does not offer the model" }]);
  expect(server.tasks.submitted).toEqual([]);
});

test("more nodes than an answer tells of are counted", async () => {
  await using server = await TestHttpServer.start();
  for (let number = 0; number < 130; number += 1) server.fleet.add({ providerId: `n${number}` });
  const { body } = await api(server.url).post("/v2/explain").send(FOX);
  expect([body.nodes.length, body.nodesLeftOut]).toEqual([100, 30]);
});

test("a question about a task is checked as the task would be", async () => {
  await using server = await TestHttpServer.start();
  const odd = await api(server.url)
    .post("/v2/explain")
    .send({ pipeline: { type: "standard", prompt: "a", width: 513 } });
  expect([odd.status, odd.body.errors[0].field]).toEqual([400, "pipeline.width"]);
  const ui = await api(server.url)
    .post("/v2/explain")
    .send({ pipeline: { type: "comfy", workflow: { nodes: [], links: [] } } });
  expect([ui.status, ui.body.code]).toEqual([422, "workflow_not_api_format"]);
});

test("a task on a running server is explained from its queue to its end", async () => {
  await using server = await RealServer.start();
  const calls = api(server.url);
  await using node = await LegacyNode.join(server.url, "node-1");
  const first = (await calls.post("/v2/tasks").send(FOX)).body.id;
  const onWire = await node.nextTask();
  const second = (await calls.post("/v2/tasks").send(FOX)).body.id;
  const third = (await calls.post("/v2/tasks").send(FOX)).body.id;
  const explain = async (id: string) => V2Explanation.parse((await calls.get(`/v2/tasks/${id}/explain`)).body);
  expect(await explain(first)).toMatchObject({ state: "running", code: "running", position: null });
  expect(await explain(third)).toMatchObject({
    state: "queued",
    code: "queued",
    position: 1,
    message: "Every node that could run it is busy. 1 of its user's tasks stand before it.",
    nodes: [{ nodeId: "node-1", eligible: true, reasons: [{ code: "busy" }] }],
  });
  node.finish(onWire);
  await calls.get(`/v2/tasks/${first}`).set("prefer", "wait=30");
  expect(await explain(first)).toMatchObject({ code: "ended", message: "It has ended: succeeded.", nodes: [] });
  await calls.post(`/v2/tasks/${second}/cancel`);
  expect(await explain(second)).toMatchObject({ code: "ended", message: "It has ended: canceled." });
});

test("the queue is shown to a user as sums and their own, to an administrator by class and user", async () => {
  await using server = await RealServer.start({ ENFORCE_JWT_AUTH: "false" });
  const calls = api(server.url);
  await using _node = await LegacyNode.join(server.url, "node-1", ["sd15"]);
  const create = (token: string, body: object) => calls.post("/v2/tasks").set("token", token).send(body).expect(201);
  const running = await create("ann", FOX);
  await calls.get(`/v2/tasks/${running.body.id}/explain`).set("token", "ann");
  for (let number = 0; number < 3; number += 1) await create("ann", FOX);
  await create("bob", WITH_MODEL);
  const seen = V2Queue.parse((await calls.get("/v2/queue").set("token", "ann")).body);
  expect(seen).toMatchObject({
    waiting: 4,
    slots: 1,
    idleSlots: 0,
    own: { waiting: 3, running: 1 },
    classes: null,
    users: null,
  });
  expect(seen.own.gpuMs).toBeGreaterThan(0);
  const admin = V2Queue.parse((await calls.get("/v2/queue").set("token", server.adminKey)).body);
  expect(admin.classes).toMatchObject([
    { pipeline: "standard", models: [], waiting: 3, fittingSlots: 1 },
    { pipeline: "standard", models: ["xl"], waiting: 1, fittingSlots: 0 },
  ]);
  expect(admin.users?.map(({ waiting, running: runs }) => [waiting, runs])).toEqual([
    [3, 1],
    [1, 0],
  ]);
});

test("how a node fared and where it is, is for administrators", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "n" });
  const user = await api(server.url).get("/v2/nodes");
  expect(user.body.nodes[0]).toMatchObject({ pictureMs: 5_000, counts: null, address: null, protocol: null });
  const admin = await api(server.url).get("/v2/nodes").set("authorization", `Bearer ${ADMIN_KEY}`);
  expect(admin.body.nodes[0]).toMatchObject({ counts: { succeeded: 3, failed: 1 }, address: "192.0.2.1", protocol: 2 });
});
