import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";

/** How many attempts of a task may be lost with their nodes. */
const LOSSES_MAX = 10;

test("a long task of a legacy node outlives as many restarts of the server as there are: they are not its node's losses", async () => {
  await using server = await RealServer.start();
  const body = { pipeline: { type: "standard", prompt: "a fox" } };
  const { id } = (await api(server.url).post("/v2/tasks").send(body).expect(201)).body;
  for (let restarts = 0; restarts <= LOSSES_MAX; restarts++) {
    await using node = await LegacyNode.join(server.url, "node-1");
    await node.nextTask();
    await server.restart();
  }
  await using node = await LegacyNode.join(server.url, "node-1");
  node.finish(await node.nextTask());
  const state = async () => (await api(server.url).get(`/v2/tasks/${id}`).expect(200)).body.state;
  await until("it has ended", async () => (await state()) !== "running");
  expect(await state()).toBe("succeeded");
}, 30_000);
