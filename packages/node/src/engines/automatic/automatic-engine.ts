import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { StandardPipeline } from "@genai/protocol";
import { discardPictures, drawnFiles } from "../drawn-files.ts";
import type { Engine, EngineArtifact, EngineOutcome, EngineProbe, EngineReport, EngineTask } from "../engine.ts";
import { GRAPH_UNSUPPORTED, nodeFault, outcomeOfError, taskFault } from "../failed-outcome.ts";
import { findModel } from "../find-model.ts";
import { EngineHttp, JSON_POST } from "../http-client.ts";
import { STRENGTH_DEFAULT } from "../image-strength.ts";
import { type FetchInput, readInputImage } from "../input-image.ts";
import { jsonBody, PICTURE_PLACE } from "../json-body.ts";
import { jsonOrUndefined } from "../json-or-undefined.ts";
import type { JsonPicture } from "../json-picture-reader.ts";
import { reportPreview } from "../report-preview.ts";
import { TaskRefused } from "../task-refused.ts";
import { WATCH_DEFAULTS, type WatchedCallOptions, watchedCall } from "../watched-call.ts";
import { CheckpointList, GlobalProgress, Info, JobProgress, Options, refusalText } from "./automatic-answers.ts";

export interface AutomaticEngineOptions extends Partial<WatchedCallOptions> {
  /** Base URL, such as `http://127.0.0.1:7860`; name and password in it are those of `--api-auth`. */
  readonly url: string;
  /** Folder for pictures on their way to the spool. */
  readonly scratch: string;
  readonly fetchInput: FetchInput;
  /** Largest answer, in bytes. Default 256 MiB for each picture that is asked for. */
  readonly answerBytesMax?: number;
}

const ANSWER_BYTES_MAX = 1024 * 1024 * 1024;

/** Drives Automatic1111 and Forge (started with `--api`): text to image, image to image, progress of the job itself where it is served. */
export class AutomaticEngine implements Engine {
  readonly type = "automatic";
  readonly #options: AutomaticEngineOptions;
  readonly #http: EngineHttp;

  constructor(options: AutomaticEngineOptions) {
    this.#options = options;
    this.#http = new EngineHttp(options.url);
  }

  async probe(signal: AbortSignal): Promise<EngineProbe> {
    try {
      const models = await this.#checkpoints(signal);
      const { sd_model_checkpoint } = Options.parse(await this.#http.json("/sdapi/v1/options", { signal }));
      return {
        state: "ready",
        // Neither says its version over the API.
        version: null,
        pipelines: ["standard"],
        models,
        warmModel: sd_model_checkpoint ? (findModel(sd_model_checkpoint, models) ?? sd_model_checkpoint) : null,
        nodeClasses: null,
        // It knows the memory of its GPU but not its name: the machine knows both.
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
    try {
      const model = await this.#modelOf(pipeline, signal);
      const image = await readInputImage(pipeline.image, task.inputs, this.#options.fetchInput, signal);
      const job = new AutomaticJob(this.#http, this.#options, report, signal);
      const { path, value } = requestOf(pipeline, job.id, model, image !== null);
      return await job.run(path, jsonBody(value, image), pipeline.count ?? 1, model);
    } catch (error) {
      return outcomeOfError(error, signal);
    }
  }

  free(): Promise<void> {
    return this.#http.close();
  }

  async #checkpoints(signal: AbortSignal): Promise<readonly string[]> {
    const list = CheckpointList.parse(await this.#http.json("/sdapi/v1/sd-models", { signal }));
    return list.map(({ title }) => title);
  }

  /** The title by which the engine takes the model; null for whatever it has loaded. The list is read anew: a model may just have come. */
  async #modelOf({ model }: StandardPipeline, signal: AbortSignal): Promise<string | null> {
    if (model === "") return null;
    const found = findModel(model, await this.#checkpoints(signal));
    if (found === null) throw new TaskRefused(`The engine has no checkpoint ${JSON.stringify(model)}.`);
    return found;
  }
}

/** One txt2img or img2img with its progress, previews and interrupt. */
class AutomaticJob {
  readonly id = `task(genai-${randomUUID()})`;
  readonly #http: EngineHttp;
  readonly #options: AutomaticEngineOptions;
  readonly #report: EngineReport;
  readonly #signal: AbortSignal;
  /** Whether the engine knows the job by its id; null until it has said so. */
  #known: boolean | null = null;
  #active = false;
  #previewId = -1;

  constructor(http: EngineHttp, options: AutomaticEngineOptions, report: EngineReport, signal: AbortSignal) {
    this.#http = http;
    this.#options = options;
    this.#report = report;
    this.#signal = signal;
  }

  async run(path: string, body: string | Readable, count: number, model: string | null): Promise<EngineOutcome> {
    const startedMs = performance.now();
    const { scratch, answerBytesMax = ANSWER_BYTES_MAX } = this.#options;
    const answer = await watchedCall(
      {
        // Without a limit of its own: the task's limit is the server's to watch, a dead engine the watch's.
        call: (end) =>
          this.#http.pictures(path, scratch, {
            ...JSON_POST,
            body,
            signal: end,
            timeoutMs: 0,
            bytesMax: answerBytesMax,
          }),
        look: (end) => this.#look(end),
        interrupt: (end) => this.#interrupt(end),
      },
      this.#signal,
      { ...WATCH_DEFAULTS, ...this.#options },
    );
    if (this.#signal.aborted) {
      await discardPictures(answer.pictures);
      return { type: "canceled" };
    }
    if (answer.status !== 200) return failureOf(answer.status, answer.value, answer.text);
    const info = infoOf(answer.value);
    const pictures = await withoutGrid(answer.pictures, count, info);
    if (await this.#wasInterrupted()) {
      await discardPictures(pictures);
      return nodeFault("interrupted", "The job was interrupted on the engine.");
    }
    if (pictures.length === 0) return nodeFault("engine_error", "The engine's answer holds no pictures.");
    const files = await drawnFiles(pictures);
    const artifacts: EngineArtifact[] = files.map((file, n) => {
      const seed = info.all_seeds?.[n] ?? (info.seed === undefined ? undefined : info.seed + n);
      return { ...file, ...(seed === undefined || seed < 0 ? {} : { seed }) };
    });
    const warmModel = model ?? info.sd_model_name ?? null;
    return {
      type: "succeeded",
      artifacts,
      metrics: { gpuMs: performance.now() - startedMs, ...(warmModel === null ? {} : { warmModel }) },
    };
  }

  async #look(signal: AbortSignal): Promise<void> {
    if (this.#known !== false) {
      const { status, text } = await this.#http.call("/internal/progress", {
        ...JSON_POST,
        body: JSON.stringify({ id_task: this.id, id_live_preview: this.#previewId, live_preview: true }),
        signal,
      });
      const progress = status === 200 ? JobProgress.safeParse(jsonOrUndefined(text)) : null;
      if (progress?.success && (progress.data.active || progress.data.queued || progress.data.completed)) {
        this.#known = true;
        this.#active = progress.data.active;
        if (progress.data.active) this.#tell(progress.data.progress ?? 0, progress.data.live_preview);
        this.#previewId = progress.data.id_live_preview ?? this.#previewId;
        return;
      }
      // Known before: it is between two of its states. Else an engine that serves no ids of ours: what runs is then taken to be ours.
      if (this.#known === true) return;
      if (progress === null || !progress.success) this.#known = false;
    }
    const { status, text } = await this.#http.call("/sdapi/v1/progress?skip_current_image=false", { signal });
    const progress = status === 200 ? GlobalProgress.safeParse(jsonOrUndefined(text)) : null;
    if (progress === null || !progress.success) return;
    this.#active = progress.data.state.job_count > 0;
    if (this.#active) this.#tell(progress.data.progress, progress.data.current_image);
  }

  #tell(progress: number, picture: string | null | undefined): void {
    if (this.#signal.aborted) return;
    this.#report.progress(progress, "sampling");
    reportPreview(this.#report, picture);
  }

  /** Interrupts whatever runs, so only while ours does. */
  async #interrupt(signal: AbortSignal): Promise<void> {
    if (this.#active) await this.#http.call("/sdapi/v1/interrupt", { ...JSON_POST, body: "{}", signal });
  }

  /** Somebody pressed the button of the engine's own page: it keeps that until its next job. */
  async #wasInterrupted(): Promise<boolean> {
    try {
      const answer = await this.#http.json("/sdapi/v1/progress?skip_current_image=true", { signal: this.#signal });
      return GlobalProgress.parse(answer).state.interrupted;
    } catch {
      // The pictures are there; that the engine went away afterwards does not make them worse.
      return false;
    }
  }
}

function requestOf(
  pipeline: StandardPipeline,
  id: string,
  model: string | null,
  hasImage: boolean,
): { path: string; value: unknown } {
  const { prompt, negativePrompt = "", width = 512, height = 512, steps = 20, guidanceScale = 7, count = 1 } = pipeline;
  const value = {
    prompt,
    negative_prompt: negativePrompt,
    width,
    height,
    steps,
    cfg_scale: guidanceScale,
    // One after the other and not as one batch: each has the seed after the last one's, and needs the memory of one.
    seed: pipeline.seed ?? -1,
    batch_size: 1,
    n_iter: count,
    send_images: true,
    save_images: false,
    do_not_save_samples: true,
    do_not_save_grid: true,
    // Engines from before this field ignore it.
    force_task_id: id,
    // Not restored afterwards: the model stays warm for the next task that wants it.
    ...(model === null
      ? {}
      : { override_settings: { sd_model_checkpoint: model }, override_settings_restore_afterwards: false }),
  };
  if (!hasImage) return { path: "/sdapi/v1/txt2img", value };
  const denoising_strength = pipeline.strength ?? STRENGTH_DEFAULT;
  return {
    path: "/sdapi/v1/img2img",
    value: { ...value, init_images: [PICTURE_PLACE], denoising_strength, include_init_images: false },
  };
}

function failureOf(status: number, body: unknown, text: string): EngineOutcome {
  const message = refusalText(status, body, text);
  if (/out ?of ?memory/i.test(message)) return nodeFault("out_of_memory", message);
  // FastAPI's own words for a route that isn't there: the engine was started without --api.
  if (status === 404 && message === "Not Found")
    return nodeFault("engine_error", "The engine serves no API; it must be started with --api.");
  if (status === 400 || status === 404 || status === 422) return taskFault(message);
  return nodeFault("engine_error", message);
}

function infoOf(answer: unknown): Info {
  const text = (answer as { info?: unknown } | undefined)?.info;
  const info = Info.safeParse(typeof text === "string" ? jsonOrUndefined(text) : text);
  return info.success ? info.data : {};
}

/** A grid of all pictures stands before them where the engine was set so. */
async function withoutGrid(
  pictures: readonly JsonPicture[],
  count: number,
  info: Info,
): Promise<readonly JsonPicture[]> {
  const grids = pictures.length > count ? (info.index_of_first_image ?? pictures.length - count) : 0;
  await discardPictures([...pictures.slice(0, grids), ...pictures.slice(grids + count)]);
  return pictures.slice(grids, grids + count);
}
