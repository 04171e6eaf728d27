import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const TERMS = {
  pipeline: { type: "standard", prompt: "a fox", seed: 5 },
  maxCost: 3,
  priority: 2,
  metadata: { a: 1 },
  requirements: { engine: "test" },
};

async function setup() {
  const server = await TestHttpServer.start();
  const id = String((await postJson(`${server.url}/v2/tasks`, TERMS, { token: "ann" })).json().id);
  const call = (method: string, path: string, token = "ann") =>
    rawHttp(method, `${server.url}/v2/tasks/${id}${path}`, { headers: { token } });
  return { server, id, call };
}

test("a task can be canceled as often as one likes", async () => {
  const { server, call } = await setup();
  await using _ = server;
  const first = await call("POST", "/cancel");
  expect([first.status, first.json().state]).toEqual([200, "canceled"]);
  const again = await call("POST", "/cancel");
  expect([again.status, again.json().state]).toEqual([200, "canceled"]);
});

test("canceling a task that succeeded leaves it as it is", async () => {
  const { server, id, call } = await setup();
  await using _ = server;
  server.tasks.settle(id, { state: "succeeded" });
  const answer = await call("POST", "/cancel");
  expect([answer.status, answer.json().state]).toEqual([200, "succeeded"]);
});

test("a retry makes a new task of the same pipeline and terms", async () => {
  const { server, id, call } = await setup();
  await using _ = server;
  expect((await call("POST", "/retry")).json()).toMatchObject({ status: 409, code: "task_not_ended", taskId: id });
  server.tasks.settle(id, { state: "failed" });
  const answer = await call("POST", "/retry");
  expect(answer.status).toBe(201);
  expect(answer.headers.location).toBe(`/v2/tasks/${answer.json().id}`);
  expect(answer.json().id).not.toBe(id);
  const [first, second] = server.tasks.submitted;
  expect({ ...second, taskId: first?.taskId }).toEqual(first);
});

test("a task whose large input is kept no longer cannot be done again", async () => {
  const { server, id, call } = await setup();
  await using _ = server;
  server.tasks.settle(id, { state: "succeeded" });
  server.tasks.submitted.splice(0);
  expect((await call("POST", "/retry")).json()).toMatchObject({ status: 410, code: "input_not_kept", taskId: id });
});

test("a deleted task is gone; one that has not ended cannot be deleted", async () => {
  const { server, id, call } = await setup();
  await using _ = server;
  expect((await call("DELETE", "")).json().code).toBe("task_not_ended");
  server.tasks.settle(id, { state: "succeeded" });
  expect((await call("DELETE", "")).status).toBe(204);
  expect((await call("GET", "")).status).toBe(404);
  expect((await call("DELETE", "")).status).toBe(404);
});

test("nobody ends, repeats or deletes another's task", async () => {
  const { server, id, call } = await setup();
  await using _ = server;
  server.tasks.settle(id, { state: "failed" });
  for (const [method, path] of [
    ["POST", "/cancel"],
    ["POST", "/retry"],
    ["DELETE", ""],
  ] as const) {
    expect((await call(method, path, "bob")).json().code).toBe("task_not_found");
  }
});
