import { expect, test } from "@jest/globals";
import { artifact } from "../support/fake-tasks.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const FOX = { standardPipeline: { prompt: "a fox" } };
const GRAPH = JSON.stringify({
  "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "sd15.safetensors" } },
});

test.each(["/v1/tasks", "/v1/tasks/"])("POST %s stores a task and answers 201", async (path) => {
  await using server = await TestHttpServer.start();
  const answer = await postJson(`${server.url}${path}`, { token: "ann", ...FOX });
  expect(answer.status).toBe(201);
  expect(answer.json()).toEqual({
    ok: true,
    message: expect.any(String),
    task_id: server.tasks.submitted[0]?.taskId,
  });
  expect(server.tasks.submitted[0]).toMatchObject({
    api: "v1",
    pipeline: { type: "standard", prompt: "a fox", model: "" },
    maxCost: 15,
    timeToMoneyRatio: 1,
    priority: 0,
    maxAttempts: 5,
    requirements: { pipeline: "standard", models: [], imageInput: "none", modelIsWishOnLegacy: true },
  });
});

test.each(["/v1/inference/comfyPipeline", "/v1/inference/comfyPipeline/"])(
  "POST %s takes the graph at the top level and answers 202",
  async (path) => {
    await using server = await TestHttpServer.start();
    const answer = await postJson(`${server.url}${path}`, {
      token: "ann",
      pipelineData: GRAPH,
      pipelineDependencies: { images: "this is no JSON" },
      max_cost: 3,
      time_to_money_ratio: 0,
    });
    expect(answer.status).toBe(202);
    expect(answer.json()).toEqual({ ok: true, message: expect.any(String), task_id: expect.any(String) });
    expect(server.tasks.submitted[0]).toMatchObject({
      pipeline: { type: "comfy", workflow: GRAPH, images: "this is no JSON" },
      maxCost: 3,
      timeToMoneyRatio: 0,
      limitMs: 3_600_000,
      requirements: { pipeline: "comfy", models: ["sd15.safetensors"] },
    });
  },
);

test("where both pipelines are given the comfy one is used", async () => {
  await using server = await TestHttpServer.start();
  await postJson(`${server.url}/v1/tasks/`, { ...FOX, comfyPipeline: { pipelineData: GRAPH } });
  expect(server.tasks.submitted[0]?.pipeline.type).toBe("comfy");
});

test("unknown keys are dropped, null means absent, any or no Content-Type is read as JSON", async () => {
  await using server = await TestHttpServer.start();
  const body = JSON.stringify({
    token: null,
    surprise: { a: 1 },
    comfyPipeline: null,
    max_cost: null,
    standardPipeline: { prompt: "a fox", size: null, steps: null, model: null, image_url: null, cfg: 7 },
  });
  for (const headers of [{}, { "content-type": "text/plain; charset=latin1" }, { "content-type": "image/png" }]) {
    const answer = await rawHttp("POST", `${server.url}/v1/tasks/`, { headers, body });
    expect(answer.status).toBe(201);
  }
  expect(server.tasks.submitted[0]?.pipeline).toEqual({ type: "standard", prompt: "a fox", model: "" });
});

test("size, steps and model reach the task; a missing model becomes the configured one", async () => {
  await using server = await TestHttpServer.start({ settings: { defaultModel: "house.safetensors" } });
  await postJson(`${server.url}/v1/tasks/`, {
    standardPipeline: { prompt: "a fox", size: { width: 640, height: 384 }, steps: 7, model: "mine" },
  });
  await postJson(`${server.url}/v1/tasks/`, FOX);
  expect(server.tasks.submitted[0]?.pipeline).toMatchObject({ width: 640, height: 384, steps: 7, model: "mine" });
  expect(server.tasks.submitted[0]?.requirements.models).toEqual(["mine"]);
  expect(server.tasks.submitted[1]?.pipeline).toMatchObject({ model: "house.safetensors" });
});

test("image_url is a wish, and one that nobody could fetch is left out", async () => {
  await using server = await TestHttpServer.start();
  const url = "https://pictures.example/fox.png";
  await postJson(`${server.url}/v1/tasks/`, { standardPipeline: { prompt: "a fox", image_url: url } });
  await postJson(`${server.url}/v1/tasks/`, { standardPipeline: { prompt: "a fox", image_url: "file:///etc/passwd" } });
  expect(server.tasks.submitted[0]).toMatchObject({
    pipeline: { image: { url } },
    requirements: { imageInput: "wish" },
  });
  expect(server.tasks.submitted[1]?.requirements.imageInput).toBe("none");
});

test.each([
  ["no pipeline", {}, "standardPipeline"],
  ["no prompt", { standardPipeline: {} }, "prompt"],
  ["an empty prompt", { standardPipeline: { prompt: "" } }, "prompt"],
  ["a prompt that is no text", { standardPipeline: { prompt: 7 } }, "prompt"],
  ["a size without height", { standardPipeline: { prompt: "a", size: { width: 8 } } }, "size.height"],
  ["a size that is no object", { standardPipeline: { prompt: "a", size: "512x512" } }, "size"],
  ["a width that is no number", { standardPipeline: { prompt: "a", size: { width: "8", height: 8 } } }, "size.width"],
  ["steps that are no whole number", { standardPipeline: { prompt: "a", steps: 1.5 } }, "steps"],
  ["no pipelineData", { comfyPipeline: {} }, "pipelineData"],
  ["pipelineData that is an object", { comfyPipeline: { pipelineData: {} } }, "pipelineData"],
  ["pipelineData that is no JSON", { comfyPipeline: { pipelineData: "{" } }, "pipelineData"],
  ["pipelineData that is a JSON list", { comfyPipeline: { pipelineData: "[]" } }, "pipelineData"],
  [
    "pipelineData without end",
    { comfyPipeline: { pipelineData: `{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}` } },
    "pipelineData",
  ],
  ["a negative max_cost", { ...FOX, max_cost: -1 }, "max_cost"],
  ["a negative ratio", { ...FOX, time_to_money_ratio: -1 }, "time_to_money_ratio"],
  ["a ratio that is no number", { ...FOX, time_to_money_ratio: "fast" }, "time_to_money_ratio"],
  ["a token that is no text", { ...FOX, token: 5 }, "token"],
  ["a list", [FOX], "object"],
])("%s is 400 and the field is named", async (_name, body, field) => {
  await using server = await TestHttpServer.start();
  for (const path of ["/v1/tasks/", "/v1/images/generation/"]) {
    const answer = await postJson(`${server.url}${path}`, body);
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({ ok: false, error: expect.stringContaining(field) });
  }
  expect(server.tasks.submitted).toEqual([]);
});

test.each(["{", "a fox", "\u0000", '{"a":1}}'])(
  "a body that is no JSON (%j) is 400 and is not quoted",
  async (body) => {
    await using server = await TestHttpServer.start();
    const answer = await rawHttp("POST", `${server.url}/v1/tasks/`, { body });
    expect(answer.status).toBe(400);
    expect(answer.json().error).toMatch(/no JSON/);
    expect(answer.text).not.toContain("fox");
  },
);

test("a body cannot change what every object inherits", async () => {
  await using server = await TestHttpServer.start();
  const body =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"\\u005f_proto__":{"polluted":1},"standardPipeline":{"prompt":"a","__proto__":{"steps":3}}}';
  const answer = await rawHttp("POST", `${server.url}/v1/tasks/`, { body });
  expect(answer.status).toBe(201);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(server.tasks.submitted[0]?.pipeline).not.toHaveProperty("steps");
});

test("GET of a waiting task answers 201 with PENDING and no result", async () => {
  await using server = await TestHttpServer.start();
  const headers = { token: "ann" };
  const { task_id } = (await postJson(`${server.url}/v1/tasks/`, FOX, headers)).json();
  for (const slash of ["", "/"]) {
    const answer = await rawHttp("GET", `${server.url}/v1/tasks/${task_id}${slash}`, { headers });
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({ ok: true, status: "PENDING", result: null });
    expect(answer.headers.etag).toBeUndefined();
  }
});

test("GET of a task that succeeded shows our artifacts as http URLs and other URLs as the node sent them", async () => {
  await using server = await TestHttpServer.start();
  const taskId = String((await postJson(`${server.url}/v1/tasks/`, FOX)).json().task_id);
  const foreign = "http://elsewhere.example/a.png?x=1";
  server.tasks.settle(taskId, {
    state: "succeeded",
    artifacts: [artifact(0), artifact(1, { key: null, url: foreign })],
  });
  const answer = await rawHttp("GET", `${server.url}/v1/tasks/${taskId}`);
  expect(answer.status).toBe(201);
  expect(answer.json()).toEqual({
    ok: true,
    status: "SUCCESS",
    result: { images: [`${server.url}/artifacts/attempts/a/0?signature=s`, foreign] },
  });
});

test("links to pictures keep the path of the public URL, on v1 and on v2", async () => {
  const publicUrl = "https://example.org/genai/";
  await using server = await TestHttpServer.start({ settings: { publicUrl } });
  const taskId = String((await postJson(`${server.url}/v1/tasks/`, FOX)).json().task_id);
  const foreign = "http://elsewhere.example/a.png?x=1";
  server.tasks.settle(taskId, {
    state: "succeeded",
    artifacts: [artifact(0), artifact(1, { key: null, url: foreign })],
  });
  const url = "https://example.org/genai/artifacts/attempts/a/0?signature=s";
  const old = await rawHttp("GET", `${server.url}/v1/tasks/${taskId}`);
  expect(old.json().result).toEqual({ images: [url, foreign] });
  const task = await rawHttp("GET", `${server.url}/v2/tasks/${taskId}`);
  expect(task.json().result).toMatchObject({ artifacts: [{ url }, { url: foreign }] });
});

test("with V1_DATA_URLS our artifacts come as data URLs", async () => {
  await using server = await TestHttpServer.start({ settings: { v1DataUrls: true } });
  const taskId = String((await postJson(`${server.url}/v1/tasks/`, FOX)).json().task_id);
  server.tasks.settle(taskId, { state: "succeeded", artifacts: [artifact(0)] });
  const answer = await rawHttp("GET", `${server.url}/v1/tasks/${taskId}`);
  expect(answer.json().result).toEqual({ images: [`data:image/png;base64,${Buffer.from("png").toString("base64")}`] });
});

test("GET of a failed or canceled task says so", async () => {
  await using server = await TestHttpServer.start();
  const failed = String((await postJson(`${server.url}/v1/tasks/`, FOX)).json().task_id);
  const canceled = String((await postJson(`${server.url}/v1/tasks/`, FOX)).json().task_id);
  server.tasks.settle(failed, { state: "failed", error: { code: "task_failed", message: "out of foxes" } });
  server.tasks.settle(canceled, { state: "canceled" });
  expect((await rawHttp("GET", `${server.url}/v1/tasks/${failed}`)).json()).toEqual({
    ok: true,
    status: "FAILED",
    result: null,
    error: "out of foxes",
  });
  expect((await rawHttp("GET", `${server.url}/v1/tasks/${canceled}`)).json()).toEqual({
    ok: true,
    status: "CANCELED",
    result: null,
  });
});

test("a foreign task, an unknown one and an id that is none get one and the same 403", async () => {
  await using server = await TestHttpServer.start();
  const foreign = (await postJson(`${server.url}/v1/tasks/`, FOX, { token: "ann" })).json().task_id;
  const answers = [];
  for (const id of [foreign, "01890000-0000-7000-8000-999999999999", "not-an-id", "..%2f..%2fetc"]) {
    answers.push(await rawHttp("GET", `${server.url}/v1/tasks/${id}`, { headers: { token: "bob" } }));
  }
  expect(answers.map((answer) => answer.status)).toEqual([403, 403, 403, 403]);
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
});

test("the list holds the caller's own tasks, and is 403 for a caller with none", async () => {
  await using server = await TestHttpServer.start();
  const mine = String((await postJson(`${server.url}/v1/tasks/`, FOX, { token: "ann" })).json().task_id);
  await postJson(`${server.url}/v1/tasks/`, FOX, { token: "bob" });
  server.tasks.settle(mine, { state: "succeeded", artifacts: [artifact(0)] });
  for (const path of ["/v1/tasks", "/v1/tasks/"]) {
    const answer = await rawHttp("GET", `${server.url}${path}`, { headers: { token: "ann" } });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      ok: true,
      count: 1,
      data: { [mine]: { status: "SUCCESS", result: { images: [expect.stringContaining("/artifacts/")] } } },
    });
    const none = await rawHttp("GET", `${server.url}${path}`, { headers: { token: "carol" } });
    expect(none.status).toBe(403);
    expect(none.json()).toEqual({ ok: false, error: expect.any(String) });
  }
});
