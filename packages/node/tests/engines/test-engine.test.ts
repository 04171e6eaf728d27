import type { Pipeline } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import type { EngineOutcome } from "../../src/engines/engine.ts";
import { TestEngine, type TestEngineOptions } from "../../src/engines/test/test-engine.ts";
import { pngSize } from "../support/pictures.ts";

const FOX = { type: "standard", prompt: "a fox", model: "", width: 48, height: 32, steps: 4, seed: 3 } as const;

function run(pipeline: Pipeline, options: TestEngineOptions = {}, signal = new AbortController().signal) {
  const progress: number[] = [];
  const report = { progress: (value: number) => progress.push(value), preview: () => {} };
  const outcome = new TestEngine(options).run({ attemptId: "a", pipeline, limitMs: 1_000 }, report, signal);
  return outcome.then((ended) => ({ outcome: ended, progress }));
}

function pictures(outcome: EngineOutcome): readonly Buffer[] {
  if (outcome.type !== "succeeded") throw new Error(JSON.stringify(outcome));
  return outcome.artifacts.map(({ body }) => ("bytes" in body ? Buffer.from(body.bytes) : Buffer.alloc(0)));
}

async function picture(pipeline: Pipeline): Promise<string> {
  return pictures((await run(pipeline)).outcome)[0]?.toString("base64") ?? "";
}

test("two prompts, seeds, models or negative prompts are two pictures; the same again is the same bytes", async () => {
  const asked: Pipeline[] = [
    FOX,
    { ...FOX, prompt: "an owl" },
    { ...FOX, seed: 4 },
    { ...FOX, model: "other" },
    { ...FOX, negativePrompt: "blur" },
  ];
  const drawn = await Promise.all(asked.map(picture));
  expect(new Set(drawn).size).toBe(asked.length);
  expect(await Promise.all(asked.map(picture))).toEqual(drawn);
});

test("without a seed each run is another picture, and says its seed", async () => {
  const { seed: _, ...unseeded } = FOX;
  const [first, second] = [(await run(unseeded)).outcome, (await run(unseeded)).outcome];
  if (first.type !== "succeeded" || second.type !== "succeeded") throw new Error("it failed");
  const seed = first.artifacts[0]?.seed ?? -1;
  expect(seed).not.toBe(second.artifacts[0]?.seed);
  expect(await picture({ ...FOX, seed })).toBe(pictures(first)[0]?.toString("base64"));
});

test("size, count and steps are obeyed: a step of progress for each", async () => {
  const { outcome, progress } = await run({ ...FOX, count: 2, steps: 5 });
  expect(pictures(outcome).map(pngSize)).toEqual([
    { width: 48, height: 32 },
    { width: 48, height: 32 },
  ]);
  expect(progress).toHaveLength(10);
  expect(progress.at(-1)).toBe(1);
  expect(pictures(outcome)[1]?.toString("base64")).toBe(await picture({ ...FOX, seed: 4 }));
});

test("a graph is drawn with the size of its latent image, another for another graph", async () => {
  const workflow = { "5": { class_type: "EmptyLatentImage", inputs: { width: 40, height: 24, batch_size: 1 } } };
  const { outcome } = await run({ type: "comfy", workflow });
  expect(pictures(outcome).map(pngSize)).toEqual([{ width: 40, height: 24 }]);
  const text = JSON.stringify({ ...workflow, "6": { class_type: "CLIPTextEncode", inputs: { text: "a fox" } } });
  expect(await picture({ type: "comfy", workflow: text })).not.toBe(await picture({ type: "comfy", workflow }));
});

test.each([
  ["fail", { type: "failed", fault: "node", code: "engine_error" }],
  ["refuse", { type: "failed", fault: "task", code: "task_invalid" }],
  ["oom", { type: "failed", fault: "node", code: "out_of_memory" }],
])("with the flag, [[fault:%s]] in a prompt is obeyed, and without it drawn", async (fault, expected) => {
  const asked = { ...FOX, prompt: `a fox [[fault:${fault}]]` };
  expect((await run(asked, { faults: true })).outcome).toMatchObject(expected);
  expect((await run(asked)).outcome).toMatchObject({ type: "succeeded" });
});

test("[[fault:bytes]] gives bytes that are no picture", async () => {
  const { outcome } = await run({ ...FOX, prompt: "[[fault:bytes]]" }, { faults: true });
  expect(pictures(outcome)[0]?.toString()).toBe("these bytes are no picture");
});

test.each(["hang", "slow"])("[[fault:%s]] goes on until it is canceled", async (fault) => {
  const controller = new AbortController();
  const running = run({ ...FOX, prompt: `[[fault:${fault}]]` }, { faults: true }, controller.signal);
  controller.abort();
  expect((await running).outcome).toEqual({ type: "canceled" });
});
