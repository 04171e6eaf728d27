import type { ServerResponse } from "node:http";
import { type FakeRequest, FaultyHttpServer, sendJson } from "./faulty-http-server.ts";
import { JPEG_HEAD, plainPng } from "./pictures.ts";

/** `forge`: today's Forge, which knows jobs by an id that the caller chose. `old`: Automatic1111 of early 2023, which knows only that something
 *  runs and serves no `/internal/progress`. `ids-ignored`: one in between, which serves it and ignores the caller's id. */
export type AutomaticVersion = "forge" | "old" | "ids-ignored";

interface Job {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
  step: number;
  picture: number;
  interrupted: boolean;
  /** Set while the job is held back. */
  wake: () => void;
}

const CHECKPOINTS = [
  { title: "sd15/DreamShaper_8.safetensors [879db523c3]", model_name: "sd15_DreamShaper_8", hash: "879db523c3" },
  { title: "sdxl_base.safetensors [31e35c80fc]", model_name: "sdxl_base", hash: "31e35c80fc" },
];

/** Automatic1111 and Forge without a GPU: the routes that a node uses, one job at a time behind one lock as theirs. */
export class FakeAutomatic {
  /** What txt2img and img2img were asked, in order. */
  readonly posted: { readonly path: string; readonly body: Readonly<Record<string, unknown>> }[] = [];
  interrupts = 0;
  /** The next jobs stop inside their first step and wait for an interrupt. */
  hang = false;
  /** Answers start with a grid of all pictures. */
  grid = false;
  /** The next job ends with this status and body. */
  refusal: { readonly status: number; readonly body: unknown } | null = null;
  checkpoint: string = CHECKPOINTS[0]?.title ?? "";
  /** In place of the pictures. */
  pictureText: string | null = null;
  readonly server: FaultyHttpServer;
  readonly #version: AutomaticVersion;
  #pending: Job[] = [];
  #running: Job | null = null;
  #interruptedLast = false;
  #lock: Promise<void> = Promise.resolve();

  private constructor(version: AutomaticVersion, server: FaultyHttpServer) {
    this.#version = version;
    this.server = server;
    server.hugeHead = '{"images":["iVBORw0KGgo';
  }

  static async start(version: AutomaticVersion): Promise<FakeAutomatic> {
    let fake: FakeAutomatic | null = null;
    const server = await FaultyHttpServer.start((request, response) => fake?.answer(request, response));
    fake = new FakeAutomatic(version, server);
    return fake;
  }

  get url(): string {
    return this.server.url;
  }

  get running(): boolean {
    return this.#running !== null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.kill();
  }

  async answer({ path, method, body, query }: FakeRequest, response: ServerResponse): Promise<void> {
    const value = body.length === 0 ? {} : (JSON.parse(body.toString("utf8")) as Record<string, unknown>);
    switch (`${method} ${path}`) {
      case "GET /sdapi/v1/sd-models":
        return sendJson(response, 200, CHECKPOINTS);
      case "GET /sdapi/v1/options":
        return sendJson(response, 200, { samples_save: true, sd_model_checkpoint: this.checkpoint });
      case "POST /sdapi/v1/interrupt":
        this.interrupts += 1;
        this.interruptRunning();
        return sendJson(response, 200, {});
      case "GET /sdapi/v1/progress":
        return sendJson(response, 200, this.#globalProgress(query.get("skip_current_image") === "true"));
      case "POST /internal/progress":
        if (this.#version !== "old") return sendJson(response, 200, this.#jobProgress(value));
        break;
      case "POST /sdapi/v1/txt2img":
      case "POST /sdapi/v1/img2img":
        return this.#generate(path, value, response);
    }
    sendJson(response, 404, { detail: "Not Found" });
  }

  /** As the button of its own page does. */
  interruptRunning(): void {
    if (this.#running === null) return;
    this.#running.interrupted = true;
    this.#running.wake();
  }

  async #generate(path: string, body: Readonly<Record<string, unknown>>, response: ServerResponse): Promise<void> {
    this.posted.push({ path, body });
    const width = Number(body.width);
    if (width > 2_048) {
      const detail = [
        {
          loc: ["body", "width"],
          msg: "ensure this value is less than or equal to 2048",
          type: "value_error.number.not_le",
        },
      ];
      return sendJson(response, 422, { detail });
    }
    const id = this.#version === "forge" ? String(body.force_task_id) : `task(${Math.random()})`;
    const job: Job = { id, body, step: 0, picture: 0, interrupted: false, wake: () => {} };
    this.#pending.push(job);
    const before = this.#lock;
    let unlock = (): void => {};
    this.#lock = new Promise((resolve) => {
      unlock = resolve;
    });
    await before;
    this.#pending = this.#pending.filter((each) => each !== job);
    this.#running = job;
    this.#interruptedLast = false;
    try {
      await this.#draw(job, response);
    } finally {
      this.#interruptedLast = job.interrupted;
      this.#running = null;
      unlock();
    }
  }

  async #draw(job: Job, response: ServerResponse): Promise<void> {
    const { body } = job;
    const override = (body.override_settings ?? {}) as { sd_model_checkpoint?: string };
    if (override.sd_model_checkpoint !== undefined) {
      if (!CHECKPOINTS.some(({ title }) => title === override.sd_model_checkpoint))
        return sendJson(response, 500, { error: "RuntimeError", detail: "", body: "", errors: "Unknown checkpoint" });
      this.checkpoint = override.sd_model_checkpoint;
    }
    const [count, steps] = [Number(body.n_iter), Number(body.steps)];
    const firstSeed = Number(body.seed) < 0 ? 4_242 : Number(body.seed);
    const images: string[] = [];
    for (; job.picture < count && !job.interrupted; job.picture++) {
      for (job.step = 0; job.step < steps && !job.interrupted; job.step++) {
        if (this.hang) await new Promise<void>((wake) => Object.assign(job, { wake }));
        await new Promise((next) => setTimeout(next, 2));
      }
      const png = await plainPng(Number(body.width), Number(body.height), (firstSeed + job.picture) % 256);
      images.push(this.pictureText ?? png.toString("base64"));
    }
    if (this.refusal !== null) return sendJson(response, this.refusal.status, this.refusal.body);
    if (this.grid && count > 1) images.unshift((await plainPng(8, 8)).toString("base64"));
    const info = {
      prompt: body.prompt,
      seed: firstSeed,
      all_seeds: images.map((_, n) => firstSeed + n),
      sd_model_name: this.checkpoint,
      sd_model_hash: "879db523c3",
      infotexts: [],
      index_of_first_image: this.grid && count > 1 ? 1 : 0,
    };
    sendJson(response, 200, { images, parameters: {}, info: JSON.stringify(info) });
  }

  #shareOf(job: Job): number {
    const [count, steps] = [Number(job.body.n_iter), Number(job.body.steps)];
    return Math.min(1, job.picture / count + job.step / steps / count);
  }

  #globalProgress(skipImage: boolean): unknown {
    const job = this.#running;
    const state = {
      skipped: false,
      interrupted: job?.interrupted ?? this.#interruptedLast,
      job: job === null ? "" : "scripts_txt2img",
      job_count: job === null ? 0 : Number(job.body.n_iter),
      job_timestamp: "20261124150000",
      job_no: job?.picture ?? 0,
      sampling_step: job?.step ?? 0,
      sampling_steps: Number(job?.body.steps ?? 0),
    };
    const image = job === null || skipImage ? null : JPEG_HEAD.toString("base64");
    return {
      progress: job === null ? 0 : this.#shareOf(job),
      eta_relative: 0,
      state,
      current_image: image,
      textinfo: null,
    };
  }

  #jobProgress({ id_task }: Readonly<Record<string, unknown>>): unknown {
    const job = this.#running;
    const queued = this.#pending.some(({ id }) => id === id_task);
    const none = { progress: null, eta: null, live_preview: null, id_live_preview: -1, textinfo: "Waiting..." };
    if (job === null || job.id !== id_task) return { active: false, queued, completed: false, ...none };
    const live_preview = `data:image/jpeg;base64,${JPEG_HEAD.toString("base64")}`;
    return {
      active: true,
      queued: false,
      completed: false,
      progress: this.#shareOf(job),
      eta: 1,
      live_preview,
      id_live_preview: job.step,
      textinfo: null,
    };
  }
}
