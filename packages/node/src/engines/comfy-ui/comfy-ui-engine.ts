import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StandardPipeline } from "@genai/protocol";
import { FormData } from "undici";
import { z } from "zod";
import type { Engine, EngineArtifact, EngineOutcome, EngineProbe, EngineReport, EngineTask } from "../engine.ts";
import { EngineHttpError } from "../engine-http-error.ts";
import { nodeFault, outcomeOfError, taskFault } from "../failed-outcome.ts";
import { findModel } from "../find-model.ts";
import { EngineHttp, PICTURE_BYTES_MAX } from "../http-client.ts";
import { type FetchInput, type InputPicture, mustBeOpenable, readInputImage } from "../input-image.ts";
import { jsonOrUndefined } from "../json-or-undefined.ts";
import { pictureType } from "../picture-type.ts";
import { TaskRefused } from "../task-refused.ts";
import { type ComfyRunOptions, runComfyGraph } from "./comfy-run.ts";
import { type Graph, readGraph, readImages, renameFiles } from "./graph.ts";
import type { HistoryEntry } from "./messages.ts";
import { type ComfyClasses, comfyClasses, ObjectInfo } from "./object-info.ts";
import { failureOf, imagesOf } from "./outputs.ts";
import { standardGraph } from "./standard-graph.ts";

export interface ComfyUiEngineOptions extends ComfyRunOptions {
  /** Base URL of ComfyUI, such as `http://127.0.0.1:8188`. */
  readonly url: string;
  /** Folder for pictures on their way to the spool. */
  readonly scratch: string;
  readonly fetchInput: FetchInput;
  /** Largest picture that is taken, in bytes. Default 256 MiB. */
  readonly answerBytesMax?: number;
}

const ARTIFACTS_MAX = 1_000;
/** How old the list of node classes may be: it is megabytes where many are installed, and changes only with a restart or a new model. */
const CLASSES_AGE_MS = 5 * 60_000;

/** What a graph was made of, where it was made here. */
interface Order {
  readonly graph: Graph;
  /** Seeds of its pictures in order; null for a graph that came as one. */
  readonly seeds: readonly number[] | null;
  readonly model: string | null;
}

/** Drives ComfyUI, from its versions of March 2024 on, over HTTP and its event socket. */
export class ComfyUiEngine implements Engine {
  readonly type = "comfyUI";
  readonly #options: ComfyUiEngineOptions;
  readonly #http: EngineHttp;
  #classes: ComfyClasses | null = null;
  #classesAtMs = Number.NEGATIVE_INFINITY;
  #version: string | null = null;
  /** The checkpoint that it ran last: it does not say which one it holds. */
  #warmModel: string | null = null;

  constructor(options: ComfyUiEngineOptions) {
    this.#options = options;
    this.#http = new EngineHttp(options.url);
  }

  async probe(signal: AbortSignal): Promise<EngineProbe> {
    try {
      const stats = SystemStats.parse(await this.#http.json("/system_stats", { signal }));
      const aged = performance.now() - this.#classesAtMs > CLASSES_AGE_MS;
      const { names, checkpoints, models } =
        this.#classes === null || aged ? await this.#readClasses(signal) : this.#classes;
      this.#version = stats.system.comfyui_version ?? null;
      const gpus = stats.devices.filter(({ type }) => type !== "cpu");
      const [gpu] = gpus;
      return {
        state: "ready",
        version: this.#version,
        pipelines: checkpoints.length > 0 ? ["standard", "comfy"] : ["comfy"],
        models,
        warmModel: this.#warmModel,
        nodeClasses: names,
        gpu: gpu === undefined ? null : { type: gpuName(gpu.name), vramBytes: gpu.vram_total, count: gpus.length },
        imageInput: names.includes("LoadImage"),
        concurrency: 1,
      };
    } catch (error) {
      // It may come back with other nodes and models, and with none of them loaded.
      this.#classes = null;
      this.#warmModel = null;
      return { state: "unready", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome> {
    const startedMs = performance.now();
    try {
      const order = await this.#orderOf(task, signal);
      const end = await runComfyGraph(this.#http, order.graph, report, signal, this.#options);
      switch (end.type) {
        case "canceled":
          return { type: "canceled" };
        case "refused":
          // Versions of early 2024 answer 500 to an unknown node class; later ones do so only when they are in trouble themselves.
          return end.status < 500 || this.#version === null
            ? taskFault(end.message)
            : nodeFault("engine_error", end.message);
        case "vanished":
          return nodeFault(
            "engine_lost_task",
            "ComfyUI lost the prompt; it was restarted, or somebody cleared its queue.",
          );
        case "history":
          return await this.#outcome(order, end.entry, end.warnings, performance.now() - startedMs, signal);
      }
    } catch (error) {
      return outcomeOfError(error, signal);
    }
  }

  free(): Promise<void> {
    return this.#http.close();
  }

  async #readClasses(signal: AbortSignal): Promise<ComfyClasses> {
    this.#classes = comfyClasses(ObjectInfo.parse(await this.#http.json("/object_info", { signal })));
    this.#classesAtMs = performance.now();
    return this.#classes;
  }

  async #orderOf({ pipeline, attemptId, inputs }: EngineTask, signal: AbortSignal): Promise<Order> {
    if (pipeline.type === "standard") {
      const checkpoint = await this.#checkpointOf(pipeline, signal);
      const picture = await readInputImage(pipeline.image, inputs, this.#options.fetchInput, signal);
      const image = picture === null ? null : await this.#upload(attemptId, 0, picture, signal);
      return { ...standardGraph(pipeline, checkpoint, image), model: checkpoint };
    }
    const graph = readGraph(pipeline.workflow);
    if (typeof graph === "string") throw new TaskRefused(graph);
    const images = readImages(pipeline.images, inputs);
    if (typeof images === "string") throw new TaskRefused(images);
    const names = new Map<string, string>();
    for (const [name, picture] of images) {
      await mustBeOpenable(picture, `The image ${JSON.stringify(name.slice(0, 100))}`);
      names.set(name, await this.#upload(attemptId, names.size, picture, signal));
    }
    return { graph: renameFiles(graph, names), seeds: null, model: null };
  }

  /** The checkpoint by ComfyUI's name. One that is not on the list may have been put there since. */
  async #checkpointOf({ model }: StandardPipeline, signal: AbortSignal): Promise<string> {
    const of = ({ checkpoints }: ComfyClasses): string | null =>
      model === "" ? (this.#warmModel ?? checkpoints[0] ?? null) : findModel(model, checkpoints);
    const found = (this.#classes === null ? null : of(this.#classes)) ?? of(await this.#readClasses(signal));
    if (found === null)
      throw new TaskRefused(
        model === "" ? "ComfyUI has no checkpoint." : `ComfyUI has no checkpoint ${JSON.stringify(model)}.`,
      );
    return found;
  }

  /** Uploads an image under a name of its own and gives the name by which ComfyUI knows it. */
  async #upload(attemptId: string, n: number, picture: InputPicture, signal: AbortSignal): Promise<string> {
    const blob = Buffer.isBuffer(picture) ? new Blob([new Uint8Array(picture)]) : await openAsBlob(picture.file);
    const head = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
    const form = new FormData();
    form.set("image", blob, `genai-${attemptId}-${n}.${extensionOf(head)}`);
    form.set("overwrite", "true");
    const { status, text } = await this.#http.call("/upload/image", { method: "POST", body: form, signal });
    if (status === 413) throw new TaskRefused(`ComfyUI takes no image of ${blob.size} bytes: ${text.slice(0, 200)}`);
    const answer = status === 200 ? UploadAnswer.safeParse(jsonOrUndefined(text)) : null;
    if (answer === null || !answer.success)
      throw new EngineHttpError(`ComfyUI answered ${status} to an upload: ${text.slice(0, 200)}`, "wrong");
    const { name, subfolder } = answer.data;
    return subfolder === "" ? name : `${subfolder}/${name}`;
  }

  async #outcome(
    order: Order,
    entry: HistoryEntry,
    warnings: string,
    gpuMs: number,
    signal: AbortSignal,
  ): Promise<EngineOutcome> {
    const failure = failureOf(entry);
    if (failure !== null) return failure;
    const images = imagesOf(entry);
    if (images.length === 0) return taskFault(warnings === "" ? "The graph made no pictures." : warnings);
    if (images.length > ARTIFACTS_MAX)
      return taskFault(`The graph made ${images.length} pictures; at most ${ARTIFACTS_MAX} are taken.`);
    await mkdir(this.#options.scratch, { recursive: true });
    const artifacts: EngineArtifact[] = [];
    const files: string[] = [];
    try {
      for (const [n, { filename, subfolder, type }] of images.entries()) {
        const query = new URLSearchParams({ filename, subfolder, type });
        const file = join(this.#options.scratch, randomUUID());
        files.push(file);
        const bytesMax = this.#options.answerBytesMax ?? PICTURE_BYTES_MAX;
        const { mime } = await this.#http.download(`/view?${query}`, file, { bytesMax, signal });
        const seed = order.seeds?.[n];
        artifacts.push({ body: { file }, mime, ...(seed === undefined ? {} : { seed }) });
      }
    } catch (error) {
      for (const file of files) await rm(file, { force: true });
      throw error;
    }
    if (order.model !== null) this.#warmModel = order.model;
    const metrics = { gpuMs, ...(order.model === null ? {} : { warmModel: order.model }) };
    return { type: "succeeded", artifacts, metrics, ...(warnings === "" ? {} : { warnings }) };
  }
}

const SystemStats = z.looseObject({
  system: z.looseObject({ comfyui_version: z.string().nullish() }),
  devices: z.array(z.looseObject({ name: z.string(), type: z.string(), vram_total: z.number() })),
});

const UploadAnswer = z.looseObject({ name: z.string().min(1), subfolder: z.string().default("") });

/** ComfyUI says `cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`. */
function gpuName(name: string): string {
  return name.replace(/^\w+:\d+ /, "").replace(/ : \w+$/, "");
}

/** ComfyUI reads pictures by their content; the name only has to look like one. */
function extensionOf(head: Uint8Array): string {
  const type = pictureType(head);
  return type === "image/jpeg" ? "jpg" : (type?.slice("image/".length) ?? "png");
}
