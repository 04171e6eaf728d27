import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { VoltaEngine } from "../../src/engines/voltaml/voltaml-engine.ts";
import { FakeVolta } from "../support/fake-voltaml.ts";
import { plainPng } from "../support/pictures.ts";

const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 64, height: 48, steps: 3, seed: 7 } as const;

async function setup() {
  const fake = await FakeVolta.start();
  const scratch = mkdtempSync(join(tmpdir(), "genai-volta-"));
  const picture = await plainPng(16, 16);
  const engine = new VoltaEngine({
    url: fake.url,
    scratch,
    pollMs: 10,
    lookMs: 500,
    silenceMs: 400,
    cancelMs: 300,
    fetchInput: (url) =>
      url === "https://r2.example/picture.png"
        ? Promise.resolve(picture)
        : Promise.reject(new Error("that is not fetched")),
  });
  return {
    fake,
    engine,
    scratch,
    picture,
    run: (pipeline: Pipeline) =>
      engine.run(
        { attemptId: crypto.randomUUID(), pipeline, limitMs: 60_000 },
        { progress: () => {}, preview: () => {} },
        new AbortController().signal,
      ),
    async [Symbol.asyncDispose]() {
      await engine.free();
      await fake[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

test("txt2img gets the task's prompt, size, steps, scale and a seed for each picture", async () => {
  await using bundle = await setup();
  await bundle.run({ ...STANDARD, negativePrompt: "blur", guidanceScale: 4, count: 2 });
  expect(bundle.fake.posted.map(({ path }) => path)).toEqual(["/api/generate/txt2img", "/api/generate/txt2img"]);
  expect(bundle.fake.posted.map(({ body }) => body.data)).toMatchObject(
    [7, 8].map((seed) => ({
      prompt: "a fox",
      negative_prompt: "blur",
      width: 64,
      height: 48,
      steps: 3,
      guidance_scale: 4,
      seed,
      batch_size: 1,
      batch_count: 1,
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
    })),
  );
});

test("a model that is not loaded is loaded as the engine lists it, after what was loaded before is out of the way", async () => {
  await using bundle = await setup();
  expect(await bundle.run({ ...STANDARD, model: "sdxl_base" })).toMatchObject({
    type: "succeeded",
    metrics: { warmModel: "sdxl_base", modelLoadMs: expect.any(Number) },
  });
  expect(bundle.fake.loads).toEqual([{ model: "sdxl_base", backend: "SDXL", type: "SDXL" }]);
  await bundle.run({ ...STANDARD, model: "DreamShaper_8" });
  expect(bundle.fake.loaded).toEqual(["dreamlike-art/DreamShaper_8"]);
  await bundle.run({ ...STANDARD, model: "DreamShaper_8" });
  expect(bundle.fake.loads).toHaveLength(2);
});

test("a model that somebody unloads between the look and the run is loaded again, once", async () => {
  await using bundle = await setup();
  bundle.fake.unloadBeforeRun = true;
  expect(await bundle.run({ ...STANDARD, model: "sdxl_base" })).toMatchObject({ type: "succeeded" });
  expect(bundle.fake.loads).toHaveLength(2);
});

test("a model that does not fit the memory is the node's fault", async () => {
  await using bundle = await setup();
  bundle.fake.refusal = { status: 500, body: { detail: "Out of memory" } };
  expect(await bundle.run(STANDARD)).toMatchObject({ type: "failed", fault: "node", code: "out_of_memory" });
});

test("a grid before the picture is dropped", async () => {
  await using bundle = await setup();
  bundle.fake.grid = true;
  expect(await bundle.run({ ...STANDARD, count: 2 })).toMatchObject({ type: "succeeded", artifacts: { length: 2 } });
  expect(readdirSync(bundle.scratch)).toHaveLength(2);
});

test("pictures come as data URLs, as bare base64, or as URLs that are fetched under the rules for strangers' URLs", async () => {
  await using bundle = await setup();
  for (const text of ["data-url", "bare", "https://r2.example/picture.png"]) {
    bundle.fake.pictureText = text;
    expect(await bundle.run(STANDARD)).toMatchObject({ type: "succeeded", artifacts: [{ mime: "image/png" }] });
  }
  bundle.fake.pictureText = "http://169.254.169.254/latest/meta-data";
  expect(await bundle.run(STANDARD)).toMatchObject({ type: "failed", fault: "node" });
});

test("without its event socket a run still ends well", async () => {
  await using bundle = await setup();
  const running = bundle.run({ ...STANDARD, steps: 20 });
  bundle.fake.cutSockets();
  expect(await running).toMatchObject({ type: "succeeded" });
});
