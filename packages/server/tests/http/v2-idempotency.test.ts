import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { ManyClients } from "../support/many-clients.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };

test("a hundred calls at once with one key make one task: 201 once, 200 after", async () => {
  await using server = await TestHttpServer.start();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => postJson(`${server.url}/v2/tasks`, FOX, { "idempotency-key": "k" })),
  );
  expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
  expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(99);
  expect(server.tasks.submitted).toHaveLength(1);
});

test("the order of keys does not make another request, another value does", async () => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k" };
  await postJson(`${server.url}/v2/tasks`, { ...FOX, priority: 1, maxCost: 2 }, headers);
  const same = await postJson(`${server.url}/v2/tasks`, { maxCost: 2, priority: 1, ...FOX }, headers);
  expect(same.status).toBe(200);
  const other = await postJson(`${server.url}/v2/tasks`, { maxCost: 3, priority: 1, ...FOX }, headers);
  expect(other.status).toBe(422);
  expect(other.json().code).toBe("idempotency_key_reused");
});

test("a repeat shows the task as it is now", async () => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k" };
  const id = String((await postJson(`${server.url}/v2/tasks`, FOX, headers)).json().id);
  server.tasks.settle(id, { state: "canceled" });
  expect((await postJson(`${server.url}/v2/tasks`, FOX, headers)).json()).toMatchObject({ id, state: "canceled" });
});

test("keys belong to their user", async () => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k" };
  const ann = await postJson(`${server.url}/v2/tasks`, FOX, { ...headers, token: "ann" });
  const bob = await postJson(`${server.url}/v2/tasks`, FOX, { ...headers, token: "bob" });
  expect([ann.status, bob.status]).toEqual([201, 201]);
});

test("a key of over 255 characters is refused", async () => {
  await using server = await TestHttpServer.start();
  const answer = await postJson(`${server.url}/v2/tasks`, FOX, { "idempotency-key": "k".repeat(256) });
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({ errors: [{ field: "idempotency-key" }] });
});

test("Prefer: wait answers when the task ends, or when the time is up", async () => {
  await using server = await TestHttpServer.start();
  const pending = postJson(`${server.url}/v2/tasks`, FOX, { prefer: "respond-async, wait=60" });
  while (server.tasks.submitted.length === 0) await new Promise(setImmediate);
  server.tasks.settle(server.tasks.submitted[0]?.taskId ?? "", { state: "succeeded" });
  const ended = await pending;
  expect(ended.status).toBe(201);
  expect(ended.json().state).toBe("succeeded");
  expect(ended.headers["preference-applied"]).toBe("wait=60");

  const late = await postJson(`${server.url}/v2/tasks`, FOX, { prefer: "wait=1" });
  expect(late.json().state).toBe("queued");
  const looked = await rawHttp("GET", `${server.url}/v2/tasks/${late.json().id}`, { headers: { prefer: "wait=1" } });
  expect(looked.json().state).toBe("queued");
});

test("a preference that nobody understands is ignored, one that is too long is shortened", async () => {
  await using server = await TestHttpServer.start();
  const odd = await postJson(`${server.url}/v2/tasks`, FOX, { prefer: "wait=soon, handling=lenient" });
  expect(odd.status).toBe(201);
  expect(odd.headers["preference-applied"]).toBeUndefined();
  const pending = postJson(`${server.url}/v2/tasks`, FOX, { prefer: "wait=86400" });
  while (server.tasks.submitted.length < 2) await new Promise(setImmediate);
  server.tasks.settle(server.tasks.submitted[1]?.taskId ?? "", { state: "canceled" });
  expect((await pending).headers["preference-applied"]).toBe("wait=300");
});

test("ten thousand waiting calls are all answered when their task ends", async () => {
  await using server = await TestHttpServer.start();
  const id = String((await postJson(`${server.url}/v2/tasks`, FOX)).json().id);
  await using clients = new ManyClients({
    url: `${server.url}/v2/tasks/${id}`,
    headers: { prefer: "wait=120" },
    count: 10_000,
  });
  while (server.tasks.waiterCount < 10_000) await new Promise(setImmediate);
  server.tasks.settle(id, { state: "succeeded" });
  expect(await clients.statuses()).toEqual({ 200: 10_000 });
  expect(server.tasks.waiterCount).toBe(0);
}, 240_000);
