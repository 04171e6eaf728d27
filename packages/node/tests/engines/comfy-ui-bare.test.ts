import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { describe, expect, test } from "@jest/globals";
import { ComfyUiEngine } from "../../src/engines/comfy-ui/comfy-ui-engine.ts";
import type { EngineOutcome } from "../../src/engines/engine.ts";
import { FakeComfyUi } from "../support/fake-comfy-ui.ts";
import { plainPng, pngSize } from "../support/pictures.ts";

/** `COMFYUI_URL=http://… npm run jest -- packages/node/tests/engines/comfy-ui-bare.test.ts` runs this against a real one too; it needs no model. */
const TARGETS = ["new", "old", ...(process.env.COMFYUI_URL ? ["real"] : [])] as const;

async function setup(target: string) {
  const fake = target === "new" || target === "old" ? await FakeComfyUi.start(target) : null;
  const scratch = mkdtempSync(join(tmpdir(), "genai-comfy-"));
  const url = fake?.url ?? process.env.COMFYUI_URL ?? "";
  const fetchInput = () => Promise.reject(new Error("nothing is fetched here"));
  const engine = new ComfyUiEngine({ url, scratch, fetchInput, absentMs: 500 });
  await engine.probe(AbortSignal.timeout(30_000));
  return {
    engine,
    run(pipeline: Pipeline, signal = AbortSignal.timeout(60_000)) {
      const attemptId = crypto.randomUUID();
      return engine.run({ attemptId, pipeline, limitMs: 60_000 }, { progress: () => {}, preview: () => {} }, signal);
    },
    async [Symbol.asyncDispose]() {
      await engine.free();
      await fake?.[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

function sizes(outcome: EngineOutcome): unknown[] {
  if (outcome.type !== "succeeded") throw new Error(JSON.stringify(outcome));
  return outcome.artifacts.map(({ body }) => ("file" in body ? pngSize(readFileSync(body.file)) : null));
}

describe.each(TARGETS)("ComfyUI without models, %s", (target) => {
  test("it is ready, runs graphs and takes images", async () => {
    await using bundle = await setup(target);
    const probe = await bundle.engine.probe(AbortSignal.timeout(30_000));
    expect(probe).toMatchObject({ state: "ready", imageInput: true, pipelines: expect.arrayContaining(["comfy"]) });
    expect(probe.state === "ready" && probe.nodeClasses).toEqual(expect.arrayContaining(["EmptyImage", "ImageInvert"]));
  });

  test("an uploaded image is scaled, inverted and saved; the same graph again gives the same from the cache", async () => {
    await using bundle = await setup(target);
    const scale = { image: ["1", 0], upscale_method: "bilinear", width: 40, height: 24, crop: "disabled" };
    const pipeline: Pipeline = {
      type: "comfy",
      workflow: {
        "1": { class_type: "LoadImage", inputs: { image: "cat.png" } },
        "2": { class_type: "ImageScale", inputs: scale },
        "3": { class_type: "ImageInvert", inputs: { image: ["2", 0] } },
        "4": { class_type: "SaveImage", inputs: { images: ["3", 0], filename_prefix: "genai-test" } },
      },
      images: { "cat.png": (await plainPng(20, 12, 100)).toString("base64") },
    };
    expect(sizes(await bundle.run(pipeline))).toEqual([{ width: 40, height: 24 }]);
    expect(sizes(await bundle.run(pipeline))).toEqual([{ width: 40, height: 24 }]);
  });

  test("two outputs give two pictures, a preview alone gives its own", async () => {
    await using bundle = await setup(target);
    const empty = (width: number) => ({
      class_type: "EmptyImage",
      inputs: { width, height: 16, batch_size: 1, color: 0 },
    });
    const save = (from: string) => ({
      class_type: "SaveImage",
      inputs: { images: [from, 0], filename_prefix: "genai-test" },
    });
    const two = { "1": empty(16), "2": empty(32), "3": save("1"), "4": save("2") };
    const both = sizes(await bundle.run({ type: "comfy", workflow: two }));
    expect(both).toEqual(
      expect.arrayContaining([
        { width: 16, height: 16 },
        { width: 32, height: 16 },
      ]),
    );
    const preview = { "1": empty(24), "2": { class_type: "PreviewImage", inputs: { images: ["1", 0] } } };
    expect(sizes(await bundle.run({ type: "comfy", workflow: preview }))).toEqual([{ width: 24, height: 16 }]);
  });

  test("bad graphs are the task's fault, in ComfyUI's words", async () => {
    await using bundle = await setup(target);
    const missing = {
      "1": { class_type: "LoadImage", inputs: { image: "surely-missing.png" } },
      "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "x" } },
    };
    expect(await bundle.run({ type: "comfy", workflow: missing })).toMatchObject({
      type: "failed",
      fault: "task",
      message: expect.stringContaining("Node 1 (LoadImage)"),
    });
    const unknown = { "1": { class_type: "NoSuchNode", inputs: {} } };
    expect(await bundle.run({ type: "comfy", workflow: unknown })).toMatchObject({ type: "failed", fault: "task" });
  });

  test("a task that is canceled before its post is canceled", async () => {
    await using bundle = await setup(target);
    const workflow = { "1": { class_type: "EmptyImage", inputs: { width: 16, height: 16, batch_size: 1, color: 0 } } };
    expect(await bundle.run({ type: "comfy", workflow }, AbortSignal.abort())).toEqual({ type: "canceled" });
  });
});
