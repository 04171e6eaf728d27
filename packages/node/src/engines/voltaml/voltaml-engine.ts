import { randomInt, randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { StandardPipeline } from "@genai/protocol";
import { discardPictures, drawnFiles } from "../drawn-files.ts";
import type { Engine, EngineArtifact, EngineOutcome, EngineProbe, EngineReport, EngineTask } from "../engine.ts";
import { EngineHttpError } from "../engine-http-error.ts";
import { GRAPH_UNSUPPORTED, nodeFault, outcomeOfError, taskFault } from "../failed-outcome.ts";
import { findModel } from "../find-model.ts";
import { EngineHttp, JSON_POST } from "../http-client.ts";
import { STRENGTH_DEFAULT } from "../image-strength.ts";
import { type FetchInput, type InputPicture, readInputImage } from "../input-image.ts";
import { jsonBody, PICTURE_PLACE } from "../json-body.ts";
import { jsonOrUndefined } from "../json-or-undefined.ts";
import type { JsonPicture } from "../json-picture-reader.ts";
import { pictureType } from "../picture-type.ts";
import { reportPreview } from "../report-preview.ts";
import { TaskRefused } from "../task-refused.ts";
import { WATCH_DEFAULTS, type WatchedCallOptions, watchedCall } from "../watched-call.ts";
import { refusalText, type VoltaModel, VoltaModels } from "./voltaml-answers.ts";
import { VoltaEvents } from "./voltaml-events.ts";

export interface VoltaEngineOptions extends Partial<WatchedCallOptions> {
  /** Base URL, such as `http://127.0.0.1:5003`, with or without `/api` at its end. */
  readonly url: string;
  /** Folder for pictures on their way to the spool. */
  readonly scratch: string;
  readonly fetchInput: FetchInput;
  /** Largest answer, in bytes. Default 256 MiB. */
  readonly answerBytesMax?: number;
}

/** Number 8 of diffusers' list of schedulers: DPM-Solver++ multistep. The engine wants one to be named. */
const SCHEDULER = 8;
/** VoltaML keeps its seeds in 32 bits. */
const SEED_MAX = 2 ** 32;

/** What a run has made so far, or how it ended early. */
type Drawn = { readonly pictures: readonly JsonPicture[] } | { readonly ended: EngineOutcome };

/** Drives VoltaML: one picture a call, so that each has a seed of its own; a model that is not loaded is loaded first. */
export class VoltaEngine implements Engine {
  readonly type = "voltaml";
  readonly #options: VoltaEngineOptions;
  readonly #http: EngineHttp;
  /** Before each path: `/api`, or nothing where the URL ends in it already; null until the engine has answered on one of them. */
  #prefix: string | null = null;

  constructor(options: VoltaEngineOptions) {
    this.#options = options;
    this.#http = new EngineHttp(options.url);
  }

  async probe(signal: AbortSignal): Promise<EngineProbe> {
    try {
      const available = await this.#models("available", signal);
      const [warm] = await this.#models("loaded", signal);
      return {
        state: "ready",
        version: null,
        pipelines: ["standard"],
        models: available.filter(({ valid }) => valid).map(({ name }) => name),
        warmModel: warm?.name ?? null,
        nodeClasses: null,
        gpu: null,
        imageInput: true,
        concurrency: 1,
      };
    } catch (error) {
      return { state: "unready", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async run(task: EngineTask, report: EngineReport, signal: AbortSignal): Promise<EngineOutcome> {
    const { pipeline } = task;
    if (pipeline.type !== "standard") return GRAPH_UNSUPPORTED;
    const artifacts: EngineArtifact[] = [];
    const count = pipeline.count ?? 1;
    const startedMs = performance.now();
    let outcome: EngineOutcome;
    let events: VoltaEvents | null = null;
    try {
      const image = await readInputImage(pipeline.image, task.inputs, this.#options.fetchInput, signal);
      const { model, loadMs } = await this.#ensureLoaded(pipeline.model, signal);
      events = new VoltaEvents(this.#http, await this.#path("/websockets/master", signal), (progress, picture) => {
        if (signal.aborted) return;
        report.progress((artifacts.length + Math.min(1, progress)) / count, "sampling");
        reportPreview(report, picture);
      });
      await events.opened();
      const firstSeed = pipeline.seed ?? randomInt(SEED_MAX);
      for (let n = 0; n < count; n++) {
        const seed = (firstSeed + n) % SEED_MAX;
        const drawn = await this.#draw(pipeline, model, seed, image, signal);
        if ("ended" in drawn) throw new Ended(drawn.ended);
        const [artifact] = await drawnFiles(await this.#lastOf(drawn.pictures, signal));
        if (artifact !== undefined) artifacts.push({ ...artifact, seed });
        report.progress((n + 1) / count, "sampling");
      }
      const modelLoadMs = loadMs === null ? {} : { modelLoadMs: loadMs };
      const metrics = { gpuMs: performance.now() - startedMs - (loadMs ?? 0), warmModel: model.name, ...modelLoadMs };
      outcome = { type: "succeeded", artifacts, metrics };
    } catch (error) {
      outcome = error instanceof Ended ? error.outcome : outcomeOfError(error, signal);
    } finally {
      events?.close();
    }
    if (outcome.type !== "succeeded") await discard(artifacts);
    return outcome;
  }

  free(): Promise<void> {
    return this.#http.close();
  }

  async #draw(
    pipeline: StandardPipeline,
    model: VoltaModel,
    seed: number,
    image: InputPicture | null,
    signal: AbortSignal,
  ): Promise<Drawn> {
    const path = await this.#path(`/generate/${image === null ? "txt2img" : "img2img"}`, signal);
    const value = requestOf(pipeline, model.name, seed, image !== null);
    for (let loads = 0; ; loads++) {
      const answer = await this.#watched(path, jsonBody(value, image), signal);
      if (signal.aborted) {
        await discardPictures(answer.pictures);
        return { ended: { type: "canceled" } };
      }
      if (answer.status === 200) {
        if (answer.pictures.length > 0) return { pictures: answer.pictures };
        const value = answer.value as { images?: unknown } | undefined;
        const message = Array.isArray(value?.images)
          ? "The run was interrupted on VoltaML."
          : `VoltaML's answer holds no pictures: ${answer.text.slice(0, 200) || "(nothing)"}`;
        const code = Array.isArray(value?.images) ? "interrupted" : "engine_error";
        return { ended: nodeFault(code, message) };
      }
      const message = refusalText(answer.status, answer.value, answer.text);
      // Somebody unloaded it since we looked.
      if (answer.status === 400 && message === "Model is not loaded" && loads === 0) {
        await this.#load(model, signal);
        continue;
      }
      return { ended: failureOf(answer.status, message) };
    }
  }

  async #watched(path: string, body: string | Readable, signal: AbortSignal) {
    const { scratch, answerBytesMax } = this.#options;
    const call = {
      ...JSON_POST,
      body,
      timeoutMs: 0,
      ...(answerBytesMax === undefined ? {} : { bytesMax: answerBytesMax }),
    };
    return watchedCall(
      {
        call: (end) => this.#http.pictures(path, scratch, { ...call, signal: end }),
        look: async (end) => {
          await this.#http.call(await this.#path("/models/loaded", end), { signal: end });
        },
        interrupt: async (end) => {
          await this.#http.call(await this.#path("/general/interrupt", end), { ...JSON_POST, body: "{}", signal: end });
        },
      },
      signal,
      { ...WATCH_DEFAULTS, ...this.#options },
    );
  }

  /** Has the model in the engine's memory, and nothing else there that would keep it from running. */
  async #ensureLoaded(
    wanted: string,
    signal: AbortSignal,
  ): Promise<{ readonly model: VoltaModel; readonly loadMs: number | null }> {
    const loaded = await this.#models("loaded", signal);
    const available = await this.#models("available", signal);
    const known = [...loaded, ...available];
    const names = known.map(({ name }) => name);
    const name = wanted === "" ? (names[0] ?? null) : findModel(wanted, names);
    const model = known.find((each) => each.name === name);
    if (model === undefined)
      throw new TaskRefused(
        wanted === "" ? "VoltaML has no model." : `VoltaML has no model ${JSON.stringify(wanted)}.`,
      );
    if (loaded.some((each) => each.name === model.name)) return { model, loadMs: null };
    for (const other of loaded) {
      const path = await this.#path(`/models/unload?${new URLSearchParams({ model: other.name })}`, signal);
      await this.#http.call(path, { method: "POST", signal });
    }
    const startedMs = performance.now();
    await this.#load(model, signal);
    return { model, loadMs: performance.now() - startedMs };
  }

  async #load({ name, backend, type }: VoltaModel, signal: AbortSignal): Promise<void> {
    const path = await this.#path(`/models/load?${new URLSearchParams({ model: name, backend, type })}`, signal);
    const { status, text } = await watchedCall(
      {
        call: (end) => this.#http.call(path, { method: "POST", signal: end, timeoutMs: 0 }),
        look: async (end) => {
          await this.#http.call(await this.#path("/models/loaded", end), { signal: end });
        },
        interrupt: () => Promise.resolve(),
      },
      signal,
      { ...WATCH_DEFAULTS, ...this.#options },
    );
    if (status === 200) return;
    const message = refusalText(status, jsonOrUndefined(text), text);
    throw new Ended(failureOf(Math.max(status, 500), `The model ${name} can't be loaded: ${message}`));
  }

  async #models(which: "available" | "loaded", signal: AbortSignal): Promise<readonly VoltaModel[]> {
    return VoltaModels.parse(await this.#http.json(await this.#path(`/models/${which}`, signal), { signal }));
  }

  /** The path as this engine serves it. A wrong prefix is answered by a redirect to the engine's page, or by that page itself. */
  async #path(path: string, signal: AbortSignal): Promise<string> {
    if (this.#prefix === null) {
      let refused: unknown;
      for (const prefix of ["/api", ""]) {
        try {
          VoltaModels.parse(await this.#http.json(`${prefix}/models/loaded`, { signal }));
          this.#prefix = prefix;
          break;
        } catch (error) {
          if (error instanceof EngineHttpError && error.kind === "unreachable") throw error;
          refused ??= error;
        }
      }
      if (this.#prefix === null) throw refused;
    }
    return `${this.#prefix}${path}`;
  }

  /** The picture among what came for one: a grid stands before it where the engine was set so. One that came as a URL is fetched. */
  async #lastOf(pictures: readonly JsonPicture[], signal: AbortSignal): Promise<readonly JsonPicture[]> {
    const [picture] = pictures.slice(-1);
    await discardPictures(pictures.slice(0, -1));
    if (picture?.type !== "url") return picture === undefined ? [] : [picture];
    const bytes = await this.#options.fetchInput(picture.url, signal);
    const file = join(this.#options.scratch, randomUUID());
    await writeFile(file, bytes);
    return [{ type: "file", file, bytes: bytes.length, mime: pictureType(bytes), isBase64: true, path: picture.path }];
  }
}

/** Ends a run early with an outcome. */
class Ended extends Error {
  readonly outcome: EngineOutcome;

  constructor(outcome: EngineOutcome) {
    super("ended");
    this.outcome = outcome;
  }
}

function requestOf(pipeline: StandardPipeline, model: string, seed: number, hasImage: boolean): unknown {
  const { prompt, negativePrompt = "", width = 512, height = 512, steps = 25, guidanceScale = 7 } = pipeline;
  const data = {
    prompt,
    negative_prompt: negativePrompt,
    id: randomUUID().replaceAll("-", ""),
    scheduler: SCHEDULER,
    width,
    height,
    steps,
    guidance_scale: guidanceScale,
    seed,
    batch_size: 1,
    batch_count: 1,
    ...(!hasImage ? {} : { image: PICTURE_PLACE, strength: pipeline.strength ?? STRENGTH_DEFAULT }),
  };
  return { model, data, save_image: false };
}

function failureOf(status: number, message: string): EngineOutcome {
  if (/out ?of ?memory/i.test(message)) return nodeFault("out_of_memory", message);
  return status === 400 || status === 422 ? taskFault(message) : nodeFault("engine_error", message);
}

async function discard(artifacts: readonly EngineArtifact[]): Promise<void> {
  for (const { body } of artifacts) if ("file" in body) await rm(body.file, { force: true });
}
