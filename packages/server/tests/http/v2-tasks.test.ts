import { Problem, V2Task } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { artifact } from "../support/fake-tasks.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };
const GRAPH = { "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "sd15.safetensors" } } };

test("a created task is answered with 201, its address and its state", async () => {
  await using server = await TestHttpServer.start();
  const answer = await postJson(`${server.url}/v2/tasks`, {
    pipeline: { type: "standard", prompt: "a fox", width: 512, height: 768, steps: 7, seed: 9, count: 2, model: "m" },
    maxCost: 4,
    timeToMoneyRatio: 0.5,
    priority: -3,
    deadlineAt: "2030-01-01T02:00:00+02:00",
    maxAttempts: 2,
    metadata: { order: "4711" },
    requirements: { engine: "test", models: ["n"], gpuType: "A100", vramBytesMin: 5 },
  });
  expect(answer.status).toBe(201);
  const task = V2Task.parse(answer.json());
  expect(answer.headers.location).toBe(`/v2/tasks/${task.id}`);
  expect(task).toMatchObject({
    state: "queued",
    progress: 0,
    maxCost: 4,
    deadlineAt: "2030-01-01T00:00:00.000Z",
    models: ["m", "n"],
    metadata: { order: "4711" },
    attempts: [],
    result: null,
  });
  expect(server.tasks.submitted[0]).toMatchObject({
    api: "v2",
    pipeline: { prompt: "a fox", width: 512, height: 768, steps: 7, seed: 9, count: 2, model: "m" },
    requirements: { engine: "test", models: ["m", "n"], gpuType: "A100", vramBytesMin: 5, modelIsWishOnLegacy: false },
    timeToMoneyRatio: 0.5,
    priority: -3,
    maxAttempts: 2,
  });
});

test("a graph's models are required of the node", async () => {
  await using server = await TestHttpServer.start();
  await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "comfy", workflow: GRAPH } });
  expect(server.tasks.submitted[0]).toMatchObject({
    pipeline: { type: "comfy", workflow: GRAPH },
    requirements: { pipeline: "comfy", models: ["sd15.safetensors"], modelIsWishOnLegacy: false },
  });
});

test("the task shows its attempts, its progress and, once it has ended, its pictures", async () => {
  await using server = await TestHttpServer.start();
  const id = String((await postJson(`${server.url}/v2/tasks`, FOX)).json().id);
  server.fleet.readings.set(id, { progress: 0.25, position: null, expectedMs: 4_000 });
  expect((await rawHttp("GET", `${server.url}/v2/tasks/${id}`)).json()).toMatchObject({
    progress: 0.25,
    expectedMs: 4_000,
  });
  server.tasks.settle(id, { state: "succeeded", artifacts: [artifact(0, { width: 64, height: 64, seed: 3 })] });
  const task = V2Task.parse((await rawHttp("GET", `${server.url}/v2/tasks/${id}`)).json());
  expect(task).toMatchObject({
    state: "succeeded",
    progress: 1,
    result: { artifacts: [{ index: 0, url: `${server.url}/artifacts/attempts/a/0?signature=s`, width: 64, seed: 3 }] },
  });
});

test.each([
  ["an unknown key", { ...FOX, priorty: 1 }, "priorty", "did you mean priority?"],
  [
    "an unknown key further in",
    { pipeline: { type: "standard", prompt: "a", negative_prompt: "b" } },
    "pipeline.negative_prompt",
    "pipeline.negativePrompt",
  ],
  [
    "a graph's key in a prompt",
    { pipeline: { type: "standard", prompt: "a", images: 2 } },
    "pipeline.images",
    "belongs to another type of pipeline",
  ],
  ["a key at the wrong place", { ...FOX, width: 512 }, "width", "did you mean pipeline.width?"],
  ["no pipeline", {}, "pipeline", ""],
  ["an unknown pipeline", { pipeline: { type: "video" } }, "pipeline.type", ""],
  ["an empty prompt", { pipeline: { type: "standard", prompt: "" } }, "pipeline.prompt", ""],
  [
    "a width that is no multiple of 8",
    { pipeline: { type: "standard", prompt: "a", width: 513 } },
    "pipeline.width",
    "multiple of 8",
  ],
  ["a width beyond limits", { pipeline: { type: "standard", prompt: "a", width: 32_768 } }, "pipeline.width", "16384"],
  ["a seed beyond 2^53", { pipeline: { type: "standard", prompt: "a", seed: 2 ** 53 } }, "pipeline.seed", ""],
  ["a long prompt", { pipeline: { type: "standard", prompt: "a".repeat(10_000) } }, "pipeline.prompt", "8000"],
  ["a past deadline", { ...FOX, deadlineAt: "2001-01-01T00:00:00Z" }, "deadlineAt", "future"],
  ["a deadline that is no instant", { ...FOX, deadlineAt: "tomorrow" }, "deadlineAt", ""],
  ["large metadata", { ...FOX, metadata: { a: "b".repeat(5_000) } }, "metadata", "4096"],
  ["a webhook that is no URL", { ...FOX, webhook: "javascript:alert(1)" }, "webhook", ""],
  ["an endless number", { ...FOX, maxCost: "Infinity" }, "maxCost", ""],
])("%s is refused and the field is named", async (_name, body, field, hint) => {
  await using server = await TestHttpServer.start();
  const answer = await postJson(`${server.url}/v2/tasks`, body);
  expect(answer.status).toBe(400);
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(answer.json());
  expect(problem.code).toBe("invalid_request");
  expect(problem.requestId).toBe(answer.headers["x-request-id"]);
  expect(problem.errors?.[0]?.field).toBe(field);
  expect(problem.errors?.[0]?.message).toContain(hint);
  expect(server.tasks.submitted).toEqual([]);
});

test("a workflow as the editor saves it is refused in words", async () => {
  await using server = await TestHttpServer.start();
  const ui = { last_node_id: 9, nodes: [{ id: 1, type: "KSampler" }], links: [], version: 0.4 };
  const answer = await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "comfy", workflow: ui } });
  expect(answer.status).toBe(422);
  expect(answer.json()).toMatchObject({
    code: "workflow_not_api_format",
    detail: expect.stringContaining("UI format"),
    errors: [{ field: "pipeline.workflow" }],
  });
});

test("a body of another type, no JSON, an unknown address and a wrong method are problems with their own codes", async () => {
  await using server = await TestHttpServer.start();
  const url = `${server.url}/v2/tasks`;
  const cases = [
    {
      answer: await rawHttp("POST", url, { headers: { "content-type": "text/plain" }, body: "{}" }),
      status: 415,
      code: "unsupported_media_type",
    },
    {
      answer: await rawHttp("POST", url, { headers: { "content-type": "application/json" }, body: "{" }),
      status: 400,
      code: "invalid_json",
    },
    { answer: await rawHttp("GET", `${server.url}/v2/nothing`), status: 404, code: "route_not_found" },
    { answer: await rawHttp("GET", `${server.url}/v2/tasks/%ff`), status: 400, code: "invalid_request" },
    { answer: await rawHttp("DELETE", url), status: 405, code: "method_not_allowed" },
  ];
  for (const { answer, status, code } of cases) {
    expect(answer.status).toBe(status);
    expect(Problem.parse(answer.json()).code).toBe(code);
  }
});

test("the task of another user is not there; an administrator sees it", async () => {
  await using server = await TestHttpServer.start();
  const id = (await postJson(`${server.url}/v2/tasks`, FOX, { token: "ann" })).json().id;
  for (const path of [`/v2/tasks/${id}`, `/v2/tasks/${id}/events`, "/v2/tasks/01890000-0000-7000-8000-999999999999"]) {
    const answer = await rawHttp("GET", `${server.url}${path}`, { headers: { token: "bob" } });
    expect(answer.status).toBe(404);
    expect(answer.json().code).toBe("task_not_found");
  }
  const seen = await rawHttp("GET", `${server.url}/v2/tasks/${id}`, { headers: { authorization: "Bearer admin-key" } });
  expect(seen.status).toBe(200);
});

test("the API describes itself, and the page that shows it needs nothing from elsewhere", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const document = (await rawHttp("GET", `${server.url}/openapi.json`)).json();
  expect(document).toMatchObject({ openapi: "3.1.0", servers: [{ url: server.url }] });
  const page = await rawHttp("GET", `${server.url}/docs`);
  expect(page.status).toBe(200);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  const addresses = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(addresses.length).toBeGreaterThan(2);
  for (const address of addresses) {
    expect(address).toMatch(/^\/docs\//);
    expect((await rawHttp("GET", `${server.url}${address}`)).status).toBe(200);
  }
  expect((await rawHttp("GET", `${server.url}/docs/assets/package.json`)).status).toBe(404);
  expect((await rawHttp("GET", `${server.url}/docs/problems`)).text).toContain('id="queue_full"');
});
