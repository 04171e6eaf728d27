import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { InputImage, StandardPipeline } from "@genai/protocol";
import { FormData } from "undici";
import { z } from "zod";
import type { Engine, EngineArtifact, EngineOutcome, EngineProbe, EngineReport, EngineTask } from "../engine.ts";
import { EngineHttp, EngineHttpError } from "../http-client.ts";
import { type ComfyRunOptions, runComfyGraph } from "./comfy-run.ts";
import { executionError } from "./error-text.ts";
import { decodeBase64, type Graph, readGraph, readImages, renameFiles } from "./graph.ts";
import { type HistoryEntry, OutputImage } from "./messages.ts";
import { findModel, standardGraph } from "./standard-graph.ts";

export interface ComfyUiEngineOptions extends ComfyRunOptions {
  /** Base URL of ComfyUI, such as `http://127.0.0.1:8188`. */
  readonly url: string;
  /** Folder for pictures on their way to the spool. */
  readonly scratch: string;
  /** Fetches an input image that a task gave as a URL; rejects with a sentence. */
  readonly fetchInput: (url: string, signal: AbortSignal) => Promise<Buffer>;
}

const ARTIFACT_BYTES_MAX = 1024 * 1024 * 1024;
const ARTIFACTS_MAX = 1_000;

/** A task that can't be run, by its own fault. */
class TaskRefused extends Error {}

/** Drives ComfyUI, from its versions of March 2024 on, over HTTP and its event socket. */
export class ComfyUiEngine implements Engine {
  readonly type = "comfyUI";
  readonly #options: ComfyUiEngineOptions;
  readonly #http: EngineHttp;
  #checkpoints: readonly string[] = [];
  #version: string | null = null;

  constructor(options: ComfyUiEngineOptions) {
    this.#options = options;
    this.#http = new EngineHttp(options.url);
  }

  async probe(signal: AbortSignal): Promise<EngineProbe> {
    try {
      const stats = SystemStats.parse(await this.#http.json("/system_stats", { signal }));
      const classes = ObjectInfo.parse(await this.#http.json("/object_info", { signal }));
      this.#version = stats.system.comfyui_version ?? null;
      this.#checkpoints = choicesOf(classes, "CheckpointLoaderSimple", "ckpt_name");
      const gpus = stats.devices.filter(({ type }) => type !== "cpu");
      const [gpu] = gpus;
      return {
        state: "ready",
        version: this.#version,
        pipelines: this.#checkpoints.length > 0 ? ["standard", "comfy"] : ["comfy"],
        models: LOADERS.flatMap(([loader, input]) => choicesOf(classes, loader, input)),
        warmModel: null,
        nodeClasses: Object.keys(classes).sort(),
        gpu: gpu === undefined ? null : { type: gpu.name, vramBytes: gpu.vram_total, count: gpus.length },
        imageInput: "LoadImage" in classes,
        concurrency: 1,
      };
    } catch (error) {
      return { state: "unready", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome> {
    const startedMs = performance.now();
    try {
      const { graph, seed, model } = await this.#graphOf(task, signal);
      const end = await runComfyGraph(this.#http, graph, report, signal, this.#options);
      switch (end.type) {
        case "canceled":
          return { type: "canceled" };
        case "refused":
          // Versions of early 2024 answer 500 to an unknown node class; later ones do so only when they are in trouble themselves.
          return end.status < 500 || this.#version === null
            ? taskFault(end.message)
            : { type: "failed", fault: "node", code: "engine_error", message: end.message };
        case "vanished":
          return {
            type: "failed",
            fault: "node",
            code: "engine_lost_task",
            message: "ComfyUI lost the prompt; it was restarted, or somebody cleared its queue.",
          };
        case "history":
          return await this.#outcome(task, end.entry, end.warnings, {
            seed,
            metrics: { gpuMs: performance.now() - startedMs, ...(model === null ? {} : { warmModel: model }) },
          });
      }
    } catch (error) {
      if (error instanceof TaskRefused) return taskFault(error.message);
      if (signal.aborted) return { type: "canceled" };
      if (error instanceof EngineHttpError)
        return { type: "failed", fault: "node", code: "engine_down", message: error.message };
      return {
        type: "failed",
        fault: "node",
        code: "engine_error",
        message: error instanceof Error ? error.message : String(error),
      };
    }
  }

  free(): Promise<void> {
    return this.#http.close();
  }

  async #graphOf(
    task: EngineTask,
    signal: AbortSignal,
  ): Promise<{ graph: Graph; seed: number | null; model: string | null }> {
    const { pipeline, attemptId } = task;
    if (pipeline.type === "standard") {
      const checkpoint = this.#checkpointOf(pipeline);
      const image =
        pipeline.image === undefined
          ? null
          : await this.#upload(attemptId, 0, await this.#bytesOf(pipeline.image, signal), signal);
      return { ...standardGraph(pipeline, checkpoint, image), model: checkpoint };
    }
    const graph = readGraph(pipeline.workflow);
    if (typeof graph === "string") throw new TaskRefused(graph);
    const images = readImages(pipeline.images);
    if (typeof images === "string") throw new TaskRefused(images);
    const names = new Map<string, string>();
    for (const [name, bytes] of images) names.set(name, await this.#upload(attemptId, names.size, bytes, signal));
    return { graph: renameFiles(graph, names), seed: null, model: null };
  }

  #checkpointOf({ model }: StandardPipeline): string {
    const known = this.#checkpoints;
    const found = model === "" ? (known[0] ?? null) : findModel(model, known);
    if (found === null)
      throw new TaskRefused(
        model === "" ? "ComfyUI has no checkpoint." : `ComfyUI has no checkpoint ${JSON.stringify(model)}.`,
      );
    return found;
  }

  async #bytesOf(image: InputImage, signal: AbortSignal): Promise<Buffer> {
    if ("url" in image) {
      try {
        return await this.#options.fetchInput(image.url, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw new TaskRefused(
          `The input image can't be fetched: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    const bytes = decodeBase64(image.base64);
    if (bytes === null) throw new TaskRefused("The input image is no base64.");
    return bytes;
  }

  /** Uploads an image under a name of its own and gives the name by which ComfyUI knows it. */
  async #upload(attemptId: string, n: number, bytes: Buffer, signal: AbortSignal): Promise<string> {
    const form = new FormData();
    form.set("image", new Blob([new Uint8Array(bytes)]), `genai-${attemptId}-${n}.${extensionOf(bytes)}`);
    form.set("overwrite", "true");
    const answer = await this.#http.json("/upload/image", { method: "POST", body: form, signal });
    const { name, subfolder } = UploadAnswer.parse(answer);
    return subfolder === "" ? name : `${subfolder}/${name}`;
  }

  async #outcome(
    _task: EngineTask,
    entry: HistoryEntry,
    warnings: string,
    facts: { seed: number | null; metrics: { gpuMs: number; warmModel?: string } },
  ): Promise<EngineOutcome> {
    const messages = entry.status?.messages ?? [];
    // "ExecutionBlocked" stops a branch, not the run.
    const failure = messages.find(
      ([name, data]) => name === "execution_error" && data.exception_type !== "ExecutionBlocked",
    );
    if (failure !== undefined && entry.status?.completed !== true) {
      const { message, outOfMemory } = executionError(failure[1]);
      return outOfMemory ? { type: "failed", fault: "node", code: "out_of_memory", message } : taskFault(message);
    }
    if (messages.some(([name]) => name === "execution_interrupted")) {
      return {
        type: "failed",
        fault: "node",
        code: "interrupted",
        message: "The prompt was interrupted on the engine.",
      };
    }
    const images = imagesOf(entry);
    if (images.length === 0) return taskFault(warnings === "" ? "The graph made no pictures." : warnings);
    if (images.length > ARTIFACTS_MAX)
      return taskFault(`The graph made ${images.length} pictures; at most ${ARTIFACTS_MAX} are taken.`);
    await mkdir(this.#options.scratch, { recursive: true });
    const artifacts: EngineArtifact[] = [];
    for (const image of images) {
      const query = new URLSearchParams({ filename: image.filename, subfolder: image.subfolder, type: image.type });
      const file = join(this.#options.scratch, randomUUID());
      const { mime } = await this.#http.download(`/view?${query}`, file, { bytesMax: ARTIFACT_BYTES_MAX });
      artifacts.push({ body: { file }, mime, ...(facts.seed === null ? {} : { seed: facts.seed }) });
    }
    return { type: "succeeded", artifacts, metrics: facts.metrics };
  }
}

function taskFault(message: string): EngineOutcome {
  return { type: "failed", fault: "task", code: "task_invalid", message };
}

/** All pictures of all outputs, each once: saved ones where there are any, else the temporary ones of preview nodes. */
function imagesOf(entry: HistoryEntry): readonly OutputImage[] {
  const seen = new Map<string, OutputImage>();
  for (const { images = [] } of Object.values(entry.outputs)) {
    for (const each of images) {
      const image = OutputImage.safeParse(each);
      if (image.success) seen.set(`${image.data.type}/${image.data.subfolder}/${image.data.filename}`, image.data);
    }
  }
  const all = [...seen.values()];
  const saved = all.filter(({ type }) => type === "output");
  return saved.length > 0 ? saved : all;
}

const SystemStats = z.looseObject({
  system: z.looseObject({ comfyui_version: z.string().nullish() }),
  devices: z.array(z.looseObject({ name: z.string(), type: z.string(), vram_total: z.number() })),
});

const ObjectInfo = z.record(
  z.string(),
  z.looseObject({ input: z.looseObject({ required: z.record(z.string(), z.unknown()).optional() }).optional() }),
);

const UploadAnswer = z.looseObject({ name: z.string().min(1), subfolder: z.string().default("") });

/** Nodes that load a model, and the input that names it. */
const LOADERS = [
  ["CheckpointLoaderSimple", "ckpt_name"],
  ["UNETLoader", "unet_name"],
  ["LoraLoader", "lora_name"],
  ["VAELoader", "vae_name"],
  ["ControlNetLoader", "control_net_name"],
] as const;

/** The choices of a combo input: a bare list, or the newer `["COMBO", {options}]`. */
function choicesOf(classes: z.infer<typeof ObjectInfo>, name: string, input: string): readonly string[] {
  const spec = classes[name]?.input?.required?.[input];
  if (!Array.isArray(spec)) return [];
  const list: unknown = Array.isArray(spec[0]) ? spec[0] : (spec[1] as { options?: unknown } | undefined)?.options;
  return Array.isArray(list) ? list.filter((each): each is string => typeof each === "string") : [];
}

function extensionOf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "jpg";
  return bytes.toString("latin1", 8, 12) === "WEBP" ? "webp" : "png";
}
