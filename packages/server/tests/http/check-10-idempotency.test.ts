import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { RealServer } from "../support/real-server.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };

test("check 10: 100 parallel calls with one key make one task, another body is refused, and the key outlives a restart", async () => {
  await using server = await RealServer.start();
  const create = (body: object) => api(server.url).post("/v2/tasks").set("idempotency-key", "order-4711").send(body);
  const answers = await Promise.all(Array.from({ length: 100 }, () => create(FOX)));
  const ids = new Set(answers.map(({ body }) => body.id));
  const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
  expect([ids.size, count(201), count(200)]).toEqual([1, 1, 99]);
  const other = await create({ ...FOX, priority: 1 });
  expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
  await server.restart();
  const again = await create(FOX);
  expect([again.status, ids.has(again.body.id)]).toEqual([200, true]);
  expect((await create({ ...FOX, priority: 1 })).status).toBe(422);
  const { body } = await api(server.url).get("/v2/tasks");
  expect(body.tasks).toHaveLength(1);
  console.info(
    `check 10: 100 parallel calls, ${ids.size} task, 201 × ${count(201)}, 200 × ${count(200)}; other body 422, before and after a restart`,
  );
}, 60_000);
