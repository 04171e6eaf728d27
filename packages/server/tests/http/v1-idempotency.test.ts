import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson } from "../support/raw-http.ts";

const FOX = { standardPipeline: { prompt: "a fox" } };
const GRAPH = { pipelineData: "{}" };

test.each([
  ["/v1/tasks/", "/v1/tasks", FOX],
  ["/v1/inference/comfyPipeline", "/v1/inference/comfyPipeline/", GRAPH],
])("one key on %s and on %s makes one task", async (one, other, body) => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k" };
  const first = await postJson(`${server.url}${one}`, body, headers);
  const second = await postJson(`${server.url}${other}`, body, headers);
  expect(second.status).toBe(first.status);
  expect(second.json().task_id).toBe(first.json().task_id);
  expect(server.tasks.submitted).toHaveLength(1);
});

test("one key on the two spellings of the call that waits makes one task", async () => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k" };
  const waiting = ["/v1/images/generation/", "/v1/images/generation"].map((path) =>
    postJson(`${server.url}${path}`, FOX, headers),
  );
  while (server.tasks.submitted.length === 0) await new Promise(setImmediate);
  server.tasks.settle(server.tasks.submitted[0]?.taskId ?? "", { state: "succeeded" });
  const [one, other] = await Promise.all(waiting);
  expect([one?.status, other?.status]).toEqual([202, 202]);
  expect(other?.json().task_id).toBe(one?.json().task_id);
});

test.each([
  ["/v1/tasks/", FOX],
  ["/v1/images/generation/", FOX],
  ["/v1/inference/comfyPipeline", GRAPH],
])("a key is stored under the spelling that clients of %s use, whatever the call's own", async (path, body) => {
  await using server = await TestHttpServer.start();
  const other = path.endsWith("/") ? path.slice(0, -1) : `${path}/`;
  const made = postJson(`${server.url}${other}`, body, { "idempotency-key": "k" });
  while (server.tasks.submitted.length === 0) await new Promise(setImmediate);
  server.tasks.settle(server.tasks.submitted[0]?.taskId ?? "", { state: "succeeded" });
  await made;
  const bodyHash = createHash("sha256")
    .update(`${path}\n${JSON.stringify(body)}`)
    .digest("hex");
  expect(server.tasks.bodyHashes).toEqual([bodyHash]);
});
