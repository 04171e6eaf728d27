import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { AutomaticEngine } from "../../src/engines/automatic/automatic-engine.ts";
import { type AutomaticVersion, FakeAutomatic } from "../support/fake-automatic.ts";
import { plainPng } from "../support/pictures.ts";

const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 64, height: 48, steps: 3, seed: 7 } as const;

async function setup(version: AutomaticVersion = "forge", credentials = "") {
  const fake = await FakeAutomatic.start(version);
  const scratch = mkdtempSync(join(tmpdir(), "genai-automatic-"));
  const engine = new AutomaticEngine({
    url: fake.url.replace("//", `//${credentials}`),
    scratch,
    pollMs: 10,
    lookMs: 500,
    silenceMs: 400,
    cancelMs: 300,
    fetchInput: () => Promise.reject(new Error("nothing is fetched here")),
  });
  const progress: number[] = [];
  return {
    fake,
    engine,
    scratch,
    progress,
    run: (pipeline: Pipeline, signal = new AbortController().signal) =>
      engine.run(
        { attemptId: crypto.randomUUID(), pipeline, limitMs: 60_000 },
        { progress: (value) => progress.push(value), preview: () => {} },
        signal,
      ),
    async [Symbol.asyncDispose]() {
      await engine.free();
      await fake[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

test("txt2img gets the prompt, size, steps, scale, seed, count and model of the task, and an id of its own", async () => {
  await using bundle = await setup();
  await bundle.run({ ...STANDARD, negativePrompt: "blur", guidanceScale: 4, count: 2, model: "sdxl_base" });
  const [posted] = bundle.fake.posted;
  expect(posted?.path).toBe("/sdapi/v1/txt2img");
  expect(posted?.body).toMatchObject({
    prompt: "a fox",
    negative_prompt: "blur",
    width: 64,
    height: 48,
    steps: 3,
    cfg_scale: 4,
    seed: 7,
    batch_size: 1,
    n_iter: 2,
    send_images: true,
    save_images: false,
    override_settings: { sd_model_checkpoint: "sdxl_base.safetensors [31e35c80fc]" },
    override_settings_restore_afterwards: false,
    force_task_id: expect.stringMatching(/^task\(genai-[0-9a-f-]{36}\)$/),
  });
});

test("without a model the loaded one is used, and without a seed the one that the engine drew is told", async () => {
  await using bundle = await setup();
  const { seed: _, ...unseeded } = STANDARD;
  expect(await bundle.run({ ...unseeded, count: 2 })).toMatchObject({ artifacts: [{ seed: 4_242 }, { seed: 4_243 }] });
  expect(bundle.fake.posted[0]?.body).not.toHaveProperty("override_settings");
  expect(bundle.fake.posted[0]?.body.seed).toBe(-1);
});

test("img2img gets the image and how far from it", async () => {
  await using bundle = await setup();
  const image = await plainPng(8, 8);
  await bundle.run({ ...STANDARD, image: { base64: image.toString("base64") }, strength: 0.3 });
  expect(bundle.fake.posted[0]).toMatchObject({
    path: "/sdapi/v1/img2img",
    body: { init_images: [image.toString("base64")], denoising_strength: 0.3 },
  });
});

test("a grid before the pictures is dropped, and seeds stay with their pictures", async () => {
  await using bundle = await setup();
  bundle.fake.grid = true;
  const outcome = await bundle.run({ ...STANDARD, count: 3 });
  expect(outcome).toMatchObject({ type: "succeeded", artifacts: [{ seed: 7 }, { seed: 8 }, { seed: 9 }] });
  expect(readdirSync(bundle.scratch)).toHaveLength(3);
});

test("progress is the job's own where its id is served, and the engine's else", async () => {
  for (const version of ["forge", "old"] as const) {
    await using bundle = await setup(version);
    await bundle.run({ ...STANDARD, steps: 30 });
    const asked = bundle.fake.server.requests.filter(({ path }) => path.endsWith("progress"));
    const own = asked.filter(({ path }) => path === "/internal/progress").length;
    const global = asked.filter(({ path }) => path === "/sdapi/v1/progress").length;
    // One look at the engine's own tells whether somebody interrupted it.
    expect({ version, own: own > 1, global: global > 2 }).toEqual({
      version,
      own: version === "forge",
      global: version === "old",
    });
    expect(bundle.progress.length).toBeGreaterThan(0);
  }
});

test("a task that waits behind somebody else's is not interrupted in that one's place", async () => {
  await using bundle = await setup();
  bundle.fake.hang = true;
  const body = JSON.stringify({
    prompt: "x",
    steps: 1,
    n_iter: 1,
    width: 8,
    height: 8,
    seed: 1,
    force_task_id: "theirs",
  });
  const theirs = fetch(`${bundle.fake.url}/sdapi/v1/txt2img`, { method: "POST", body });
  await until("their run", () => bundle.fake.running);
  const controller = new AbortController();
  const ours = bundle.run(STANDARD, controller.signal);
  await until("our job", () => bundle.fake.posted.length === 2);
  controller.abort();
  expect(await ours).toEqual({ type: "canceled" });
  expect(bundle.fake.interrupts).toBe(0);
  bundle.fake.interruptRunning();
  expect((await theirs).status).toBe(200);
});

test.each([
  [
    { status: 500, body: { error: "OutOfMemoryError", detail: "", body: "", errors: "CUDA out of memory. Tried" } },
    "node",
    "out_of_memory",
  ],
  [
    { status: 404, body: { error: "HTTPException", detail: "Sampler not found", body: "", errors: "" } },
    "task",
    "task_invalid",
  ],
  [{ status: 400, body: { detail: "Sampler not found" } }, "task", "task_invalid"],
  [{ status: 404, body: { detail: "Not Found" } }, "node", "engine_error"],
  [{ status: 500, body: { error: "RuntimeError", detail: "", body: "", errors: "boom" } }, "node", "engine_error"],
] as const)("an answer of %j is told as what it is", async (refusal, fault, code) => {
  await using bundle = await setup();
  bundle.fake.refusal = refusal;
  expect(await bundle.run(STANDARD)).toMatchObject({
    type: "failed",
    fault,
    code,
    message: expect.stringMatching(/\w{3}/),
  });
});

test("pictures that are none are the engine's fault, and leave no file", async () => {
  await using bundle = await setup();
  bundle.fake.pictureText = Buffer.from("these bytes are no picture").toString("base64");
  expect(await bundle.run(STANDARD)).toMatchObject({ type: "failed", fault: "node", code: "engine_error" });
  expect(readdirSync(bundle.scratch)).toEqual([]);
});

test("name and password of the URL are sent, and are in no message", async () => {
  await using bundle = await setup("forge", "user:pass%20word@");
  await bundle.run(STANDARD);
  const expected = `Basic ${Buffer.from("user:pass word").toString("base64")}`;
  expect(new Set(bundle.fake.server.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([expected]));
  await bundle.fake.server.kill();
  const probe = await bundle.engine.probe(AbortSignal.timeout(1_000));
  expect(JSON.stringify(probe)).not.toMatch(/pass/);
});
