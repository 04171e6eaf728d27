import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { describe, expect, test } from "@jest/globals";
import { ComfyUiEngine } from "../../src/engines/comfy-ui/comfy-ui-engine.ts";
import { type ComfyFaults, FakeComfyUi } from "../support/fake-comfy-ui.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);
const GRAPH = {
  "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64 } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "trace" } },
};

async function setup(version: "new" | "old", faults: ComfyFaults = {}) {
  const comfy = await FakeComfyUi.start(version);
  Object.assign(comfy.faults, faults);
  const scratch = mkdtempSync(join(tmpdir(), "genai-comfy-"));
  const engine = new ComfyUiEngine({
    url: comfy.url,
    scratch,
    pollMs: 50,
    pollFailuresMax: 3,
    fetchInput: () => Promise.reject(new Error("10.0.0.1 is not on the public internet")),
  });
  await engine.probe(AbortSignal.timeout(5_000));
  const progress: [number, string][] = [];
  const previews: string[] = [];
  const controller = new AbortController();
  return {
    comfy,
    engine,
    progress,
    previews,
    controller,
    run: (pipeline: Pipeline) =>
      engine.run(
        { attemptId: "3f0c1f1e-55a4-4e0f-9a53-0c6f2a3e9f10", pipeline, limitMs: 60_000 },
        { progress: (value, stage) => progress.push([value, stage]), preview: (mime) => previews.push(mime) },
        controller.signal,
      ),
    async [Symbol.asyncDispose]() {
      await engine.free();
      await comfy[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

describe.each(["new", "old"] as const)("ComfyUI, %s", (version) => {
  test("a probe tells version, GPU, models and node classes", async () => {
    await using bundle = await setup(version);
    expect(await bundle.engine.probe(AbortSignal.timeout(5_000))).toMatchObject({
      state: "ready",
      version: version === "new" ? "0.3.64" : null,
      models: ["sd15/DreamShaper_8.safetensors", "sdxl_base.safetensors", "detail.safetensors"],
      gpu: { type: "cuda:0 NVIDIA GeForce RTX 4090", vramBytes: 25_276_063_744, count: 1 },
      pipelines: ["standard", "comfy"],
      imageInput: true,
    });
  });

  test("a graph runs, and all pictures of all its outputs come back, each once", async () => {
    await using bundle = await setup(version);
    const workflow = { ...GRAPH, "3": { class_type: "SaveImage", inputs: { images: ["1", 0], count: 3 } } };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: { length: 4 } });
    if (outcome.type !== "succeeded") return;
    for (const { body, mime } of outcome.artifacts) {
      expect(mime).toBe("image/png");
      expect("file" in body && readFileSync(body.file)).toEqual(PNG);
    }
    expect(bundle.progress.map(([value]) => value)).toEqual([...bundle.progress.map(([value]) => value)].sort());
  });

  test("a graph that came as text runs too", async () => {
    await using bundle = await setup(version);
    expect(await bundle.run({ type: "comfy", workflow: JSON.stringify(GRAPH) })).toMatchObject({ type: "succeeded" });
  });

  test("a preview node's pictures count where nothing was saved", async () => {
    await using bundle = await setup(version);
    const workflow = { "1": GRAPH["1"], "2": { class_type: "PreviewImage", inputs: { images: ["1", 0] } } };
    expect(await bundle.run({ type: "comfy", workflow })).toMatchObject({
      type: "succeeded",
      artifacts: { length: 1 },
    });
  });

  test("input images are uploaded first, under a name of their own, and only whole names are rewritten", async () => {
    await using bundle = await setup(version);
    const workflow = {
      "1": { class_type: "LoadImage", inputs: { image: "cat.png", note: "draw cat.png again" } },
      "2": { class_type: "SaveImage", inputs: { images: ["1", 0] } },
    };
    const outcome = await bundle.run({ type: "comfy", workflow, images: { "cat.png": PNG.toString("base64") } });
    expect(outcome).toMatchObject({ type: "succeeded" });
    const [name] = [...bundle.comfy.uploads.keys()];
    expect(name).toBe("genai-3f0c1f1e-55a4-4e0f-9a53-0c6f2a3e9f10-0.png");
    expect(bundle.comfy.uploads.get(name ?? "")).toEqual(PNG);
    expect(bundle.comfy.posted[0]?.["1"]?.inputs).toEqual({ image: name, note: "draw cat.png again" });
  });

  test("a standard task becomes a text-to-image graph with its model, size, steps, seed and count", async () => {
    await using bundle = await setup(version);
    const outcome = await bundle.run({
      ...{ type: "standard", prompt: "a fox", negativePrompt: "blur", model: "dreamshaper_8", seed: 7 },
      ...{ width: 640, height: 384, steps: 4, guidanceScale: 5, count: 2 },
    });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: [{ seed: 7 }] });
    const graph = bundle.comfy.posted[0] ?? {};
    const inputs = (name: string) => Object.values(graph).find((node) => node.class_type === name)?.inputs;
    expect(inputs("CheckpointLoaderSimple")).toEqual({ ckpt_name: "sd15/DreamShaper_8.safetensors" });
    expect(inputs("EmptyLatentImage")).toEqual({ width: 640, height: 384, batch_size: 2 });
    expect(inputs("KSampler")).toMatchObject({ seed: 7, steps: 4, cfg: 5, denoise: 1 });
    expect(bundle.previews.length).toBeGreaterThan(0);
    expect(bundle.progress.some(([, stage]) => stage === "KSampler")).toBe(true);
  });

  test("a standard task with an image starts from it", async () => {
    await using bundle = await setup(version);
    const image = { base64: PNG.toString("base64") };
    expect(await bundle.run({ type: "standard", prompt: "x", model: "", image, strength: 0.4 })).toMatchObject({
      type: "succeeded",
    });
    expect(bundle.comfy.posted[0]?.["3"]?.inputs.denoise).toBe(0.4);
    expect(bundle.comfy.uploads.size).toBe(1);
  });

  test("a node that fails is the task's fault, named with its class and message and without a traceback", async () => {
    await using bundle = await setup(version);
    const workflow = {
      "1": { class_type: "LoadImage", inputs: { image: "corrupt.png" } },
      "2": { class_type: "SaveImage", inputs: { images: ["1", 0] } },
    };
    expect(await bundle.run({ type: "comfy", workflow })).toEqual({
      type: "failed",
      fault: "task",
      code: "task_invalid",
      message: "Node 1 (LoadImage): PIL.UnidentifiedImageError: cannot identify image file '/input/corrupt.png'",
    });
  });

  test("an unknown node class is refused in ComfyUI's words", async () => {
    await using bundle = await setup(version);
    const workflow = { "1": { class_type: "NoSuchNode", inputs: {} } };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome).toMatchObject({ type: "failed", fault: "task" });
    expect(outcome.type === "failed" && outcome.message).toContain(
      version === "new"
        ? "Cannot execute because node NoSuchNode does not exist.: Node ID '#1'"
        : "ComfyUI answered 500",
    );
  });

  test("node errors of a refused graph are reported in full", async () => {
    await using bundle = await setup(version);
    const workflow = { ...GRAPH, "1": { class_type: "LoadImage", inputs: { image: "missing.png" } } };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome.type === "failed" && outcome.message).toContain(
      "Node 1 (LoadImage): Custom validation failed for node: image - Invalid image file: missing.png",
    );
  });

  test("canceling interrupts the running prompt and only it", async () => {
    await using bundle = await setup(version, { hang: true });
    const running = bundle.run({ type: "comfy", workflow: GRAPH });
    while (bundle.progress.length === 0) await new Promise((next) => setImmediate(next));
    bundle.controller.abort();
    expect(await running).toEqual({ type: "canceled" });
    expect(bundle.comfy.interrupts).toHaveLength(1);
  });

  test.each([1, 2, 3, 4, 5, 6])("a socket lost after event %i loses nothing", async (cutSocketAfter) => {
    await using bundle = await setup(version, { cutSocketAfter });
    expect(await bundle.run({ type: "comfy", workflow: GRAPH })).toMatchObject({
      type: "succeeded",
      artifacts: { length: 1 },
    });
  });

  test("events that come before the answer to the post are not lost", async () => {
    await using bundle = await setup(version, { eventsFirst: true });
    if (version === "old") bundle.comfy.faults.eventsFirst = false;
    expect(await bundle.run({ type: "comfy", workflow: GRAPH })).toMatchObject({ type: "succeeded" });
    expect(bundle.progress.length).toBeGreaterThan(0);
  });

  test("a prompt that vanished from queue and history is another node's to run", async () => {
    await using bundle = await setup(version, { vanish: true });
    expect(await bundle.run({ type: "comfy", workflow: GRAPH })).toMatchObject({
      type: "failed",
      fault: "node",
      code: "engine_lost_task",
    });
  });

  test("an engine that answers 500 to everything counts as down, and is unready when probed", async () => {
    await using bundle = await setup(version, { hang: true });
    const running = bundle.run({ type: "comfy", workflow: GRAPH });
    while (bundle.progress.length === 0) await new Promise((next) => setImmediate(next));
    bundle.comfy.faults.status = 500;
    expect(await running).toMatchObject({ type: "failed", fault: "node", code: "engine_down" });
    expect(await bundle.engine.probe(AbortSignal.timeout(5_000))).toMatchObject({ state: "unready" });
  });

  test.each([
    ["a graph that is no JSON", { workflow: "{nonsense" }, "The graph is no JSON."],
    ["a graph of the editor's format", { workflow: { nodes: [], links: [] } }, "export it in API format"],
    ["a graph over its limit", { workflow: JSON.stringify({ a: "x".repeat(11_000_000) }) }, "longer than"],
    ["an image that is no base64", { workflow: GRAPH, images: { "a.png": "!!!" } }, 'The image "a.png" is no base64.'],
    ["v1's text where images should be", { workflow: GRAPH, images: "hello" }, "is no JSON object of file names"],
  ])("%s is the task's fault, said clearly", async (_what, pipeline, message) => {
    await using bundle = await setup(version);
    const outcome = await bundle.run({ type: "comfy", ...pipeline });
    expect(outcome).toMatchObject({ type: "failed", fault: "task", message: expect.stringContaining(message) });
  });

  test("a model that ComfyUI lacks and an image at a private address are the task's fault", async () => {
    await using bundle = await setup(version);
    expect(await bundle.run({ type: "standard", prompt: "x", model: "nope" })).toMatchObject({
      fault: "task",
      message: expect.stringContaining('"nope"'),
    });
    const image = { url: "http://10.0.0.1/x.png" };
    expect(await bundle.run({ type: "standard", prompt: "x", model: "", image })).toMatchObject({
      fault: "task",
      message: expect.stringContaining("not on the public internet"),
    });
  });
});

test("without an engine a probe says so and a run is another node's to try", async () => {
  const engine = new ComfyUiEngine({
    url: "http://127.0.0.1:9",
    scratch: tmpdir(),
    fetchInput: () => Promise.reject(new Error("never asked")),
  });
  expect(await engine.probe(AbortSignal.timeout(5_000))).toMatchObject({ state: "unready" });
  const outcome = await engine.run(
    { attemptId: "a", pipeline: { type: "comfy", workflow: GRAPH }, limitMs: 1 },
    { progress: () => {}, preview: () => {} },
    new AbortController().signal,
  );
  expect(outcome).toMatchObject({ type: "failed", fault: "node" });
  await engine.free();
});
