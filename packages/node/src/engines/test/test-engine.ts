import { createHash, randomInt } from "node:crypto";
import { createReadStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pipeline } from "@genai/protocol";
import { decodeBase64 } from "../base64.ts";
import type { Engine, EngineArtifact, EngineOutcome, EngineProbe, EngineReport, EngineTask } from "../engine.ts";
import { nodeFault, outcomeOfError, taskFault } from "../failed-outcome.ts";
import { findModel } from "../find-model.ts";
import { Painting } from "./painting.ts";
import { encodePng } from "./png.ts";

export interface TestEngineOptions {
  /** How long one step takes beyond the drawing itself, in milliseconds. Default 0. */
  readonly stepMs?: number;
  /** Obeys `[[fault:…]]` in prompts: fail, refuse, oom, hang, slow, bytes. Default false. */
  readonly faults?: boolean;
  /** What it offers; a task that asks for another one is refused. Empty, the default: it draws for any. */
  readonly models?: readonly string[];
}

/** What is drawn, whatever the pipeline said. */
interface Order {
  readonly subject: string;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly seed: number;
  readonly count: number;
}

const PIXELS_MAX = 4_096 * 4_096;
const PREVIEW_PIXELS = 128;
/** Rows that are painted before others get their turn: under ten milliseconds at usual widths. */
const ROWS_AT_ONCE = 32;

/** Draws a real picture without a GPU: another one for each prompt and seed, the same bytes for the same ones. */
export class TestEngine implements Engine {
  readonly type = "test";
  readonly #options: TestEngineOptions;
  #warmModel: string | null;

  constructor(options: TestEngineOptions = {}) {
    this.#options = options;
    this.#warmModel = options.models?.[0] ?? null;
  }

  probe(): Promise<EngineProbe> {
    const models = this.#options.models ?? [];
    return Promise.resolve({
      state: "ready",
      version: "1",
      pipelines: ["standard", "comfy"],
      models,
      warmModel: this.#warmModel,
      nodeClasses: null,
      gpu: null,
      imageInput: true,
      concurrency: 1,
    });
  }

  async run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome> {
    const image = await imageKey(task);
    const order = image === null ? "The input image is no base64." : orderOf(task.pipeline, image);
    if (typeof order === "string") return taskFault(order);
    const model = this.#modelOf(task.pipeline);
    if (model === null) return taskFault("The test engine was not told of that model.");
    const startedMs = performance.now();
    try {
      const fault = this.#options.faults ? /\[\[fault:(\w+)\]\]/.exec(order.subject)?.[1] : undefined;
      const failed = await runFault(fault, signal);
      if (failed !== null) return failed;
      const artifacts: EngineArtifact[] = [];
      for (let n = 0; n < order.count; n++)
        artifacts.push(await this.#draw(order, n, fault === "bytes", report, signal));
      if (model !== "") this.#warmModel = model;
      const warmModel = model === "" ? null : model;
      return { type: "succeeded", artifacts, metrics: { gpuMs: performance.now() - startedMs, warmModel } };
    } catch (error) {
      return outcomeOfError(error, signal);
    }
  }

  /** The model that is asked for, empty for any, null for one that isn't there. */
  #modelOf(pipeline: Pipeline): string | null {
    const { models = [] } = this.#options;
    if (pipeline.type !== "standard" || pipeline.model === "" || models.length === 0)
      return pipeline.type === "standard" ? pipeline.model : "";
    return findModel(pipeline.model, models);
  }

  free(): Promise<void> {
    return Promise.resolve();
  }

  async #draw(
    order: Order,
    n: number,
    badBytes: boolean,
    report: EngineReport,
    signal: AbortSignal,
  ): Promise<EngineArtifact> {
    const { width, height, steps, count } = order;
    const seed = order.seed + n;
    const painting = new Painting(`${order.subject}\n${seed}`);
    const pixels = new Uint8Array(width * height * 3);
    for (let step = 1; step <= steps; step++) {
      const until = Math.floor((height * step) / steps);
      for (let row = Math.floor((height * (step - 1)) / steps); row < until; row += ROWS_AT_ONCE) {
        painting.paint(pixels, width, height, row, Math.min(row + ROWS_AT_ONCE, until));
        await sleep(0, undefined, { signal });
      }
      if (this.#options.stepMs) await sleep(this.#options.stepMs, undefined, { signal });
      report.progress((n + step / steps) / count, "drawing");
      if (step === Math.ceil(steps / 2)) report.preview("image/png", await preview(painting, width, height));
    }
    const bytes = badBytes ? Buffer.from("these bytes are no picture") : await encodePng(width, height, pixels);
    signal.throwIfAborted();
    return { body: { bytes }, mime: "image/png", width, height, seed };
  }
}

async function preview(painting: Painting, width: number, height: number): Promise<Buffer> {
  const scale = Math.min(1, PREVIEW_PIXELS / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const pixels = new Uint8Array(w * h * 3);
  painting.paint(pixels, w, h, 0, h);
  return encodePng(w, h, pixels);
}

/** What to draw, or a sentence why it can't be drawn. */
function orderOf(pipeline: Pipeline, image: string): Order | string {
  const order = pipeline.type === "standard" ? standardOrder(pipeline, image) : graphOrder(pipeline);
  if (typeof order === "string") return order;
  if (order.width * order.height > PIXELS_MAX)
    return `${order.width}×${order.height} is more than ${PIXELS_MAX} pixels.`;
  return order;
}

/** What stands for the input image in the picture's subject: its hash or its URL, empty for none; null where it is no base64. */
async function imageKey({ pipeline, inputs }: EngineTask): Promise<string | null> {
  if (pipeline.type !== "standard" || pipeline.image === undefined) return "";
  if ("url" in pipeline.image) return pipeline.image.url;
  const hash = createHash("sha256");
  const file = inputs?.image ?? null;
  if (file === null) {
    const bytes = decodeBase64(pipeline.image.base64);
    return bytes === null ? null : hash.update(bytes).digest("hex");
  }
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

function standardOrder(pipeline: Extract<Pipeline, { type: "standard" }>, image: string): Order {
  const {
    prompt,
    negativePrompt = "",
    model,
    width = 512,
    height = 512,
    steps = 20,
    count = 1,
    guidanceScale = 7,
  } = pipeline;
  return {
    subject: [prompt, negativePrompt, model, guidanceScale, image].join("\n"),
    width,
    height,
    steps,
    count,
    seed: pipeline.seed ?? randomInt(2 ** 47),
  };
}

/** A graph is drawn as a whole; only the size of its latent image is read from it. */
function graphOrder(pipeline: Extract<Pipeline, { type: "comfy" }>): Order | string {
  let graph: unknown = pipeline.workflow;
  if (typeof graph === "string") {
    try {
      graph = JSON.parse(graph);
    } catch {
      return "The graph is no JSON.";
    }
  }
  if (typeof graph !== "object" || graph === null || Object.keys(graph).length === 0) return "The graph has no nodes.";
  const inputs = Object.values(graph).map(
    (node) => (node as { inputs?: Record<string, unknown> } | null)?.inputs ?? {},
  );
  const number = (name: string): number | undefined =>
    inputs.map((each) => each[name]).find((value): value is number => Number.isInteger(value) && (value as number) > 0);
  return {
    subject: JSON.stringify(graph),
    width: number("width") ?? 512,
    height: number("height") ?? 512,
    steps: Math.min(number("steps") ?? 20, 1_000),
    count: Math.min(number("batch_size") ?? 1, 64),
    seed: number("seed") ?? 0,
  };
}

async function runFault(fault: string | undefined, signal: AbortSignal): Promise<EngineOutcome | null> {
  switch (fault) {
    case "fail":
      return nodeFault("engine_error", "The test engine was asked to fail.");
    case "refuse":
      return taskFault("The test engine was asked to refuse.");
    case "oom":
      return nodeFault("out_of_memory", "The test engine was asked to run out of memory.");
    case "hang":
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return { type: "canceled" };
    case "slow":
      await sleep(5_000, undefined, { signal });
      return null;
    default:
      return null;
  }
}
