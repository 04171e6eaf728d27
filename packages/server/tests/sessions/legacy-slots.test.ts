import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";

async function submit(server: RealServer, count: number): Promise<readonly string[]> {
  const taskIds: string[] = [];
  for (let i = 0; i < count; i++) {
    const { body } = await api(server.url)
      .post("/v2/tasks")
      .send({ pipeline: { type: "standard", prompt: `fox ${i}` } })
      .expect(201);
    taskIds.push(body.id);
  }
  return taskIds;
}

function states(server: RealServer, taskIds: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    taskIds.map(async (taskId) => (await api(server.url).get(`/v2/tasks/${taskId}`).expect(200)).body.state),
  );
}

test("a legacy node gets LEGACY_NODE_SLOTS tasks at once, and the next one for each that it answers", async () => {
  await using server = await RealServer.start({ LEGACY_NODE_SLOTS: "2" });
  await using node = await LegacyNode.join(server.url, "node-1");
  const taskIds = await submit(server, 4);
  const first = await node.nextTask();
  const second = await node.nextTask();
  expect(await states(server, taskIds)).toEqual(["running", "running", "queued", "queued"]);
  expect(node.given).toEqual([first, second]);
  // In any order.
  node.finish(second);
  const third = await node.nextTask();
  expect(node.given).toEqual([first, second, third]);
  node.finish(first);
  node.finish(third);
  node.finish(await node.nextTask());
  await until("all have ended", async () => (await states(server, taskIds)).every((state) => state === "succeeded"));
});

test("all that a legacy node held goes to another when its connection is gone", async () => {
  await using server = await RealServer.start({ LEGACY_NODE_SLOTS: "2" });
  const taskIds = await submit(server, 2);
  {
    await using gone = await LegacyNode.join(server.url, "node-1");
    await gone.nextTask();
    await gone.nextTask();
  }
  await using other = await LegacyNode.join(server.url, "node-2");
  other.answerAll();
  await until("all have ended", async () => (await states(server, taskIds)).every((state) => state === "succeeded"));
});

test("without it a legacy node has one task at a time", async () => {
  await using server = await RealServer.start();
  await using node = await LegacyNode.join(server.url, "node-1");
  const taskIds = await submit(server, 2);
  const only = await node.nextTask();
  expect(await states(server, taskIds)).toEqual(["running", "queued"]);
  expect(node.given).toEqual([only]);
});
