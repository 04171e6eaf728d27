import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { until } from "@genai/testing";
import { describe, expect, test } from "@jest/globals";
import { ComfyUiEngine } from "../../src/engines/comfy-ui/comfy-ui-engine.ts";
import { type ComfyFaults, type ComfyVersion, FakeComfyUi } from "../support/fake-comfy-ui.ts";
import { plainPng, pngSize } from "../support/pictures.ts";

/** The head of a PNG of 60,000 × 60,000 pixels. */
const BOMB = Buffer.from("89504e470d0a1a0a0000000d494844520000ea600000ea600802000000", "hex").toString("base64");

const ATTEMPT = "3f0c1f1e-55a4-4e0f-9a53-0c6f2a3e9f10";
const GRAPH = {
  "1": { class_type: "EmptyImage", inputs: { width: 64, height: 32 } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "trace" } },
};
/** Frames of a standard run of four steps, without those that reach everybody. */
const FRAMES_MAX = 40;
const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 64, height: 64, steps: 4 } as const;

async function setup(version: ComfyVersion, faults: ComfyFaults = {}, absentMs = 200) {
  const comfy = await FakeComfyUi.start(version);
  Object.assign(comfy.faults, faults);
  const scratch = mkdtempSync(join(tmpdir(), "genai-comfy-"));
  const engine = new ComfyUiEngine({
    url: comfy.url,
    scratch,
    pollMs: 50,
    lookMs: 500,
    silenceMs: 300,
    cancelMs: 1_000,
    absentMs,
    fetchInput: () => Promise.reject(new Error("nothing is fetched here")),
  });
  await engine.probe(AbortSignal.timeout(5_000));
  const progress: [number, string][] = [];
  const previews: string[] = [];
  const run = (pipeline: Pipeline, signal = new AbortController().signal) =>
    engine.run(
      { attemptId: ATTEMPT, pipeline, limitMs: 60_000 },
      { progress: (value, stage) => progress.push([value, stage]), preview: (mime) => previews.push(mime) },
      signal,
    );
  return {
    comfy,
    engine,
    progress,
    previews,
    run,
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
      gpu: { type: "NVIDIA GeForce RTX 4090", vramBytes: 25_276_063_744, count: 1 },
      nodeClasses: expect.arrayContaining(["KSampler", "LoadImage", "SaveImage"]),
      pipelines: ["standard", "comfy"],
      imageInput: true,
    });
  });

  test("all pictures of all outputs come back, each once and byte for byte, and progress rises", async () => {
    await using bundle = await setup(version);
    const workflow = {
      "1": { class_type: "EmptyLatentImage", inputs: { width: 64, height: 32, batch_size: 3 } },
      "2": { class_type: "VAEDecode", inputs: { samples: ["1", 0], vae: ["9", 2] } },
      "3": { class_type: "SaveImage", inputs: { images: ["2", 0], filename_prefix: "folder/inner/three" } },
      "4": { class_type: "EmptyImage", inputs: { width: 16, height: 8 } },
      "5": { class_type: "SaveImage", inputs: { images: ["4", 0], filename_prefix: "one" } },
      "6": { class_type: "PreviewImage", inputs: { images: ["4", 0] } },
      "9": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "sdxl_base.safetensors" } },
    };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: { length: 4 } });
    if (outcome.type !== "succeeded") return;
    const sizes = outcome.artifacts.map(({ body }) => ("file" in body ? pngSize(readFileSync(body.file)) : null));
    expect(sizes.filter((size) => size?.width === 64 && size.height === 32)).toHaveLength(3);
    expect(sizes.filter((size) => size?.width === 16 && size.height === 8)).toHaveLength(1);
    const values = bundle.progress.map(([value]) => value);
    expect(values).toEqual([...values].sort((a, b) => a - b));
  });

  test("a graph that came as text runs too", async () => {
    await using bundle = await setup(version);
    expect(await bundle.run({ type: "comfy", workflow: JSON.stringify(GRAPH) })).toMatchObject({ type: "succeeded" });
  });

  test("a preview node's pictures count where nothing was saved", async () => {
    await using bundle = await setup(version);
    const workflow = { "1": GRAPH["1"], "2": { class_type: "PreviewImage", inputs: { images: ["1", 0] } } };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: { length: 1 } });
  });

  test("input images are on the engine before the graph, under a name of their own, and only whole names are rewritten", async () => {
    await using bundle = await setup(version);
    const workflow = {
      "1": { class_type: "LoadImage", inputs: { image: "cat.png", note: "draw cat.png again" } },
      "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "cat.png" } },
    };
    const cat = await plainPng(20, 10);
    const images = { "cat.png": cat.toString("base64") };
    const outcome = await bundle.run({ type: "comfy", workflow, images });
    expect(outcome).toMatchObject({ type: "succeeded" });
    const name = `genai-${ATTEMPT}-0.png`;
    expect(bundle.comfy.uploads.get(name)).toEqual(cat);
    expect(bundle.comfy.posted[0]?.["1"]?.inputs).toEqual({ image: name, note: "draw cat.png again" });
    const paths = bundle.comfy.server.requests.map(({ path }) => path);
    expect(paths.indexOf("/upload/image")).toBeLessThan(paths.indexOf("/prompt"));
  });

  test("an upload that is refused is told, and the graph is not run without its image", async () => {
    await using bundle = await setup(version);
    bundle.comfy.server.faults.push({ path: /^\/upload/, kind: "text500" });
    const images = { "probe.png": (await plainPng(2, 2)).toString("base64") };
    const outcome = await bundle.run({ type: "comfy", workflow: GRAPH, images });
    expect(outcome).toMatchObject({
      type: "failed",
      fault: "node",
      message: expect.stringContaining("500 to an upload"),
    });
    expect(bundle.comfy.posted).toEqual([]);
  });

  test("a standard task becomes a graph with its model, size, steps, and a sampler for each seed", async () => {
    await using bundle = await setup(version);
    const outcome = await bundle.run({
      type: "standard",
      prompt: "a fox",
      negativePrompt: "blur",
      model: "dreamshaper_8",
      seed: 7,
      width: 640,
      height: 384,
      steps: 4,
      guidanceScale: 5,
      count: 2,
    });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: [{ seed: 7 }, { seed: 8 }] });
    const graph = Object.values(bundle.comfy.posted[0] ?? {});
    const inputs = (name: string) => graph.filter((node) => node.class_type === name).map((node) => node.inputs);
    expect(inputs("CheckpointLoaderSimple")).toEqual([{ ckpt_name: "sd15/DreamShaper_8.safetensors" }]);
    expect(inputs("EmptyLatentImage")).toEqual([{ width: 640, height: 384, batch_size: 1 }]);
    expect(inputs("KSampler")).toEqual([
      expect.objectContaining({ seed: 7, steps: 4, cfg: 5, denoise: 1 }),
      expect.objectContaining({ seed: 8, steps: 4, cfg: 5, denoise: 1 }),
    ]);
    expect(inputs("CLIPTextEncode").map((each) => each?.text)).toEqual(["a fox", "blur"]);
    expect(bundle.progress.some(([, stage]) => stage === "KSampler")).toBe(true);
  });

  test("a standard task with an image starts from it, as far from it as asked", async () => {
    await using bundle = await setup(version);
    const image = { base64: (await plainPng(20, 10)).toString("base64") };
    expect(await bundle.run({ ...STANDARD, image, strength: 0.4 })).toMatchObject({ type: "succeeded" });
    const sampler = Object.values(bundle.comfy.posted[0] ?? {}).find(({ class_type }) => class_type === "KSampler");
    expect(sampler?.inputs?.denoise).toBe(0.4);
  });

  test("a node that fails is the task's fault, named with its class and message; the traceback is for the log alone", async () => {
    await using bundle = await setup(version);
    const workflow = { ...GRAPH, "1": { class_type: "LoadImage", inputs: { image: "corrupt.png" } } };
    expect(await bundle.run({ type: "comfy", workflow })).toEqual({
      type: "failed",
      fault: "task",
      code: "task_invalid",
      message: "Node 1 (LoadImage): PIL.UnidentifiedImageError: cannot identify image file '/input/corrupt.png'",
      detail: '  File "/nodes.py", line 1, in load_image\n',
    });
  });

  test("an unknown node class is refused in ComfyUI's words", async () => {
    await using bundle = await setup(version);
    const workflow = { "1": { class_type: "NoSuchNode", inputs: {} } };
    const words = version === "new" ? "node NoSuchNode does not exist.: Node ID '#1'" : "ComfyUI answered 500";
    expect(await bundle.run({ type: "comfy", workflow })).toMatchObject({
      type: "failed",
      fault: "task",
      message: expect.stringContaining(words),
    });
  });

  test("a graph without outputs is refused in ComfyUI's words", async () => {
    await using bundle = await setup(version);
    const workflow = { "1": GRAPH["1"] };
    expect(await bundle.run({ type: "comfy", workflow })).toMatchObject({ message: "Prompt has no outputs" });
  });

  test("all node errors of a refused graph are told, each with its node and class", async () => {
    await using bundle = await setup(version);
    const workflow = {
      "1": { class_type: "LoadImage", inputs: { image: "missing.png" } },
      "2": {
        class_type: "ImageScale",
        inputs: { image: ["1", 0], upscale_method: "magic", width: 999_999, height: 64 },
      },
      "3": { class_type: "SaveImage", inputs: { images: ["2", 0], filename_prefix: "x" } },
    };
    const outcome = await bundle.run({ type: "comfy", workflow });
    expect(outcome).toMatchObject({ type: "failed", fault: "task" });
    expect(outcome.type === "failed" && outcome.message.split("\n")).toEqual([
      "Prompt outputs failed validation",
      "Node 1 (LoadImage): Custom validation failed for node: image - Invalid image file: missing.png",
      "Node 2 (ImageScale): Value not in list: upscale_method: 'magic' not in ['nearest-exact', 'bilinear', 'area', 'bicubic', 'lanczos']",
      "Node 2 (ImageScale): Value 999999 bigger than max of 16384: width",
      "Node 2 (ImageScale): Required input is missing: crop",
    ]);
  });

  test("a graph of which only one output can run gives that one's pictures and says what was left out", async () => {
    await using bundle = await setup(version);
    const workflow = { ...GRAPH, "9": { class_type: "SaveImage", inputs: { filename_prefix: "bad" } } };
    expect(await bundle.run({ type: "comfy", workflow })).toMatchObject({
      type: "succeeded",
      artifacts: { length: 1 },
      warnings: "Node 9 (SaveImage): Required input is missing: images",
    });
  });

  test("the same graph again gives the cached pictures, also where no event names them", async () => {
    await using bundle = await setup(version);
    await bundle.run({ type: "comfy", workflow: GRAPH });
    const outcome = await bundle.run({ type: "comfy", workflow: GRAPH });
    expect(outcome).toMatchObject({ type: "succeeded", artifacts: { length: 1 } });
  });

  test("canceling a running prompt interrupts it, by its id where that is understood, and not the next one", async () => {
    await using bundle = await setup(version, { hang: true });
    const [ours, next] = [new AbortController(), new AbortController()];
    const first = bundle.run({ type: "comfy", workflow: GRAPH }, ours.signal);
    await until("the first run", () => bundle.comfy.running);
    const second = bundle.run(STANDARD, next.signal);
    await until("the second prompt", () => bundle.comfy.posted.length === 2);
    ours.abort();
    expect(await first).toEqual({ type: "canceled" });
    expect(new Set(bundle.comfy.interrupts).size).toBe(1);
    bundle.comfy.release();
    expect(await second).toMatchObject({ type: "succeeded" });
  });

  test("canceling a queued prompt takes it out of the queue and interrupts nobody", async () => {
    await using bundle = await setup(version, { hang: true });
    const first = bundle.run({ type: "comfy", workflow: GRAPH });
    await until("the first run", () => bundle.comfy.running);
    const controller = new AbortController();
    const second = bundle.run(STANDARD, controller.signal);
    await until("the second prompt", () => bundle.comfy.posted.length === 2);
    controller.abort();
    expect(await second).toEqual({ type: "canceled" });
    expect(bundle.comfy.deleted).toHaveLength(1);
    expect(bundle.comfy.interrupts).toEqual([]);
    bundle.comfy.release();
    expect(await first).toMatchObject({ type: "succeeded" });
  });

  test("a node of a graph that looks for no interrupt does not hold a cancel up for ever", async () => {
    await using bundle = await setup(version, { hang: true, deaf: true });
    const controller = new AbortController();
    const running = bundle.run({ type: "comfy", workflow: GRAPH }, controller.signal);
    await until("the run", () => bundle.comfy.running);
    controller.abort();
    expect(await running).toEqual({ type: "canceled" });
    bundle.comfy.release();
  });

  test("a socket lost after any frame of a run loses nothing, and the next one goes on with its events", async () => {
    for (let cutSocketAfter = 1; cutSocketAfter <= FRAMES_MAX; cutSocketAfter++) {
      await using bundle = await setup(version, { cutSocketAfter });
      const outcome = await bundle.run(STANDARD);
      expect({ cutSocketAfter, outcome }).toMatchObject({ outcome: { type: "succeeded", artifacts: { length: 1 } } });
      // Events go to the id that the prompt was posted with.
      expect(new Set(bundle.comfy.clients).size).toBe(1);
    }
  });

  test("after a lost socket progress comes over the next one", async () => {
    await using bundle = await setup(version, { cutSocketAfter: 3, hang: true });
    const running = bundle.run({ ...STANDARD, steps: 6 });
    await until("the next socket", () => bundle.comfy.clients.length === 2);
    const before = bundle.previews.length;
    bundle.comfy.release();
    expect(await running).toMatchObject({ type: "succeeded" });
    expect(bundle.previews.length).toBeGreaterThan(before);
  });

  test("events that come before the answer to the post are not lost", async () => {
    await using bundle = await setup(version, { eventsFirst: true });
    expect(await bundle.run(STANDARD)).toMatchObject({ type: "succeeded" });
    expect(bundle.progress.length).toBeGreaterThan(0);
  });

  test("events of other prompts move nothing: no progress, no preview, no end", async () => {
    await using bundle = await setup(version, { hang: true });
    const running = bundle.run({ type: "comfy", workflow: GRAPH });
    await until("the run", () => bundle.comfy.running && bundle.progress.length > 0);
    expect(Math.max(...bundle.progress.map(([value]) => value))).toBeLessThan(0.5);
    expect(bundle.previews).toEqual([]);
    bundle.comfy.release();
    expect(await running).toMatchObject({ type: "succeeded" });
  });

  test("a history that lags behind the end is waited for", async () => {
    // Longer than two looks may take on a busy machine.
    await using bundle = await setup(version, { historyLag: 2 }, 10_000);
    expect(await bundle.run({ type: "comfy", workflow: GRAPH })).toMatchObject({ type: "succeeded" });
  });

  test("a saved picture that can't be had is the engine's fault, and nothing is left behind", async () => {
    await using bundle = await setup(version);
    bundle.comfy.server.faults.push({ path: /^\/view$/, kind: "text500" });
    const outcome = await bundle.run({ type: "comfy", workflow: GRAPH });
    expect(outcome).toMatchObject({ type: "failed", fault: "node", code: "engine_error" });
  });

  test("a prompt that vanished from queue and history is another node's to run", async () => {
    await using bundle = await setup(version, { vanish: true });
    const outcome = await bundle.run({ type: "comfy", workflow: GRAPH });
    expect(outcome).toMatchObject({ type: "failed", fault: "node", code: "engine_lost_task" });
  });

  test("an image over the engine's upload limit is the task's fault", async () => {
    await using bundle = await setup(version);
    bundle.comfy.uploadLimitBytes = 100;
    const images = { "probe.png": Buffer.alloc(200, 1).toString("base64") };
    const outcome = await bundle.run({ type: "comfy", workflow: GRAPH, images });
    expect(outcome).toMatchObject({ type: "failed", fault: "task", message: expect.stringContaining("200 bytes") });
  });

  test.each([
    ["a graph that is no JSON", { workflow: "{nonsense" }, "The graph is no JSON."],
    ["a graph of the editor's format", { workflow: { nodes: [], links: [] } }, "export it in API format"],
    ["a graph over 10 MB", { workflow: JSON.stringify({ a: "x".repeat(11_000_000) }) }, "longer than 10485760"],
    ["a graph whose node has no class", { workflow: { "1": { inputs: {} } } }, "Node 1 of the graph has no class_type"],
    ["an image that is no base64", { workflow: GRAPH, images: { "a.png": "!!!" } }, 'The image "a.png" is no base64.'],
    [
      "an image that claims 3.6 gigapixels",
      { workflow: GRAPH, images: { "a.png": BOMB } },
      'The image "a.png" claims 60000 × 60000 pixels',
    ],
    [
      "the same in v1's text",
      { workflow: GRAPH, images: JSON.stringify({ "a.png": BOMB }) },
      'The image "a.png" claims',
    ],
    ["v1's text where images should be", { workflow: GRAPH, images: "hello" }, "is no JSON object of file names"],
  ])("%s is the task's fault, said clearly, and the engine is not asked", async (_what, pipeline, message) => {
    await using bundle = await setup(version);
    const outcome = await bundle.run({ type: "comfy", ...pipeline });
    expect(outcome).toMatchObject({ type: "failed", fault: "task", message: expect.stringContaining(message) });
    expect(bundle.comfy.posted).toEqual([]);
  });
});
