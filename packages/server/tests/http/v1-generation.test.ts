import { expect, test } from "@jest/globals";
import { artifact } from "../support/fake-tasks.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson } from "../support/raw-http.ts";

const FOX = { standardPipeline: { prompt: "a fox" } };

/** Waits until a task was submitted, then ends it. */
async function endNext(server: TestHttpServer, end: Parameters<TestHttpServer["tasks"]["settle"]>[1]): Promise<string> {
  while (server.tasks.submitted.length === 0) await new Promise(setImmediate);
  const taskId = server.tasks.submitted[0]?.taskId ?? "";
  server.tasks.settle(taskId, end);
  return taskId;
}

test.each(["/v1/images/generation", "/v1/images/generation/"])(
  "POST %s answers 202 with the pictures once the task has ended",
  async (path) => {
    await using server = await TestHttpServer.start();
    const pending = postJson(`${server.url}${path}`, FOX);
    const task_id = await endNext(server, { state: "succeeded", artifacts: [artifact(0)] });
    const answer = await pending;
    expect(answer.status).toBe(202);
    expect(answer.json()).toEqual({
      ok: true,
      task_id,
      result: { images: [`${server.url}/artifacts/attempts/a/0?signature=s`] },
    });
  },
);

test("a task that failed is still 202, with ok false and its error", async () => {
  await using server = await TestHttpServer.start();
  const pending = postJson(`${server.url}/v1/images/generation/`, FOX);
  const task_id = await endNext(server, { state: "failed", error: { code: "task_failed", message: "no foxes" } });
  const answer = await pending;
  expect(answer.status).toBe(202);
  expect(answer.json()).toEqual({ ok: false, task_id, error: "no foxes" });
});

test("a call that outlives its time is 504 with the id of the task, which lives on", async () => {
  await using server = await TestHttpServer.start({ settings: { syncTimeoutMs: 20 } });
  const answer = await postJson(`${server.url}/v1/images/generation/`, FOX);
  expect(answer.status).toBe(504);
  const task_id = server.tasks.submitted[0]?.taskId;
  expect(answer.json()).toEqual({ ok: false, error: expect.any(String), task_id });
  expect((await server.tasks.store.task(task_id ?? ""))?.state).toBe("queued");
});

test("a server that stops answers open calls with their 504", async () => {
  const stopping = new AbortController();
  await using server = await TestHttpServer.start({ options: { stopping: stopping.signal } });
  const pending = postJson(`${server.url}/v1/images/generation/`, FOX);
  while (server.tasks.submitted.length === 0) await new Promise(setImmediate);
  stopping.abort();
  expect((await pending).status).toBe(504);
});
