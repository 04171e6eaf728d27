import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "@genai/protocol";
import { AutomaticEngine } from "../../src/engines/automatic/automatic-engine.ts";
import { ComfyUiEngine } from "../../src/engines/comfy-ui/comfy-ui-engine.ts";
import type { Engine, EngineOutcome } from "../../src/engines/engine.ts";
import { TestEngine } from "../../src/engines/test/test-engine.ts";
import { VoltaEngine } from "../../src/engines/voltaml/voltaml-engine.ts";
import { type AutomaticVersion, FakeAutomatic } from "./fake-automatic.ts";
import { type ComfyVersion, FakeComfyUi } from "./fake-comfy-ui.ts";
import { FakeVolta } from "./fake-voltaml.ts";
import type { FaultyHttpServer } from "./faulty-http-server.ts";

/** An engine with the fake behind it, as the contract suite sees both. */
interface EngineUnderTest {
  readonly engine: Engine;
  /** HTTP of the fake; null for the engine that lives in the node's own process. */
  readonly server: FaultyHttpServer | null;
  /** Where a run is asked for, and where its pictures come from. */
  readonly runPath: RegExp;
  readonly picturePath: RegExp;
  /** Models that the engine was asked to run, in order. */
  models(): readonly string[];
  /** Input images that reached the engine. */
  inputImages(): readonly Buffer[];
  /** Runs stop midway from now on and wait for a cancel. */
  hang(): void;
  running(): boolean;
  /** Cancels that reached the engine. */
  interrupts(): number;
  /** Somebody cancels the run on the engine itself. */
  interruptByHand(): void;
  kill(): Promise<void>;
  close(): Promise<void>;
}

export interface EngineHarness {
  readonly name: string;
  start(options: { readonly scratch: string }): Promise<EngineUnderTest>;
}

/** Fast enough for a test, slow enough for a busy machine. */
const PACE = { pollMs: 20, lookMs: 500, silenceMs: 400, cancelMs: 2_000 } as const;
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

const fetchInput = (url: string): Promise<Buffer> =>
  Promise.reject(new Error(`${new URL(url).host} is not on the public internet`));

function comfyUi(version: ComfyVersion): EngineHarness {
  return {
    name: `ComfyUI, ${version}`,
    async start({ scratch }) {
      const fake = await FakeComfyUi.start(version);
      const engine = new ComfyUiEngine({
        url: fake.url,
        scratch,
        fetchInput,
        answerBytesMax: ANSWER_BYTES_MAX,
        absentMs: 200,
        ...PACE,
      });
      const graphNodes = (name: string) =>
        fake.posted.flatMap((graph) => Object.values(graph).filter(({ class_type }) => class_type === name));
      return {
        engine,
        server: fake.server,
        runPath: /^\/prompt$/,
        picturePath: /^\/view$/,
        models: () => graphNodes("CheckpointLoaderSimple").map(({ inputs }) => String(inputs?.ckpt_name)),
        inputImages: () => [...fake.uploads].filter(([name]) => name.startsWith("genai-")).map(([, bytes]) => bytes),
        hang: () => {
          fake.faults.hang = true;
        },
        running: () => fake.running,
        interrupts: () => fake.interrupts.length,
        interruptByHand: () => fake.interruptRunning(),
        kill: () => fake.kill(),
        close: () => fake[Symbol.asyncDispose](),
      };
    },
  };
}

function automatic(version: AutomaticVersion): EngineHarness {
  return {
    name: `automatic, ${version}`,
    async start({ scratch }) {
      const fake = await FakeAutomatic.start(version);
      const engine = new AutomaticEngine({
        url: fake.url,
        scratch,
        fetchInput,
        answerBytesMax: ANSWER_BYTES_MAX,
        ...PACE,
      });
      return {
        engine,
        server: fake.server,
        runPath: /2img$/,
        picturePath: /2img$/,
        models: () =>
          fake.posted.flatMap(({ body }) => {
            const model = (body.override_settings as { sd_model_checkpoint?: string } | undefined)?.sd_model_checkpoint;
            return model === undefined ? [] : [model];
          }),
        inputImages: () =>
          fake.posted.flatMap(({ body }) =>
            ((body.init_images ?? []) as string[]).map((text) => Buffer.from(text, "base64")),
          ),
        hang: () => {
          fake.hang = true;
        },
        running: () => fake.running,
        interrupts: () => fake.interrupts,
        interruptByHand: () => fake.interruptRunning(),
        kill: () => fake.server.kill(),
        close: () => fake[Symbol.asyncDispose](),
      };
    },
  };
}

function voltaml(suffix: "" | "/api"): EngineHarness {
  return {
    name: `VoltaML, its URL ${suffix === "" ? "without" : "with"} /api`,
    async start({ scratch }) {
      const fake = await FakeVolta.start();
      const url = `${fake.url}${suffix}`;
      const engine = new VoltaEngine({ url, scratch, fetchInput, answerBytesMax: ANSWER_BYTES_MAX, ...PACE });
      return {
        engine,
        server: fake.server,
        runPath: /2img$/,
        picturePath: /2img$/,
        models: () => fake.posted.map(({ body }) => body.model),
        inputImages: () =>
          fake.posted.flatMap(({ body }) =>
            body.data.image === undefined ? [] : [Buffer.from(String(body.data.image), "base64")],
          ),
        hang: () => {
          fake.hang = true;
        },
        running: () => fake.running,
        interrupts: () => fake.interrupts,
        interruptByHand: () => fake.interruptRunning(),
        kill: async () => {
          fake.cutSockets();
          await fake.server.kill();
        },
        close: () => fake[Symbol.asyncDispose](),
      };
    },
  };
}

function testEngine(): EngineHarness {
  return {
    name: "test",
    start() {
      const used: string[] = [];
      const images: Buffer[] = [];
      let [running, interrupts, hanging] = [0, 0, false];
      const inner = new TestEngine({
        models: ["sd15/DreamShaper_8.safetensors", "sdxl_base.safetensors"],
        faults: true,
      });
      const engine: Engine = {
        type: "test",
        probe: () => inner.probe(),
        free: () => inner.free(),
        async run(task, report, signal) {
          const { pipeline } = task;
          if (pipeline.type === "standard" && pipeline.image !== undefined && "base64" in pipeline.image)
            images.push(Buffer.from(pipeline.image.base64, "base64"));
          if (pipeline.type === "standard") used.push(pipeline.model);
          const hangs = pipeline.type === "standard" && hanging;
          running += 1;
          signal.addEventListener("abort", () => (interrupts += 1));
          const asked = hangs
            ? { ...task, pipeline: { ...pipeline, prompt: `${pipeline.prompt} [[fault:hang]]` } }
            : task;
          const outcome = await inner.run(asked, report, signal);
          running -= 1;
          return outcome;
        },
      };
      return Promise.resolve({
        engine,
        server: null,
        runPath: /^$/,
        picturePath: /^$/,
        models: () => used,
        inputImages: () => images,
        hang: () => {
          hanging = true;
        },
        running: () => running > 0,
        interrupts: () => interrupts,
        interruptByHand: () => {},
        kill: () => Promise.resolve(),
        close: () => Promise.resolve(),
      });
    },
  };
}

/** Engines behind HTTP, every version that differs on the wire. */
export const REMOTE_ENGINES: readonly EngineHarness[] = [
  comfyUi("new"),
  comfyUi("old"),
  automatic("forge"),
  automatic("ids-ignored"),
  automatic("old"),
  voltaml(""),
  voltaml("/api"),
];

export const ALL_ENGINES: readonly EngineHarness[] = [...REMOTE_ENGINES, testEngine()];

/** An engine that runs, and what it reports. */
export async function setupEngine(harness: EngineHarness) {
  const scratch = mkdtempSync(join(tmpdir(), "genai-engine-"));
  const under = await harness.start({ scratch });
  const progress: number[] = [];
  const previews: string[] = [];
  const controller = new AbortController();
  return {
    under,
    engine: under.engine,
    scratch,
    progress,
    previews,
    controller,
    run: (pipeline: Pipeline): Promise<EngineOutcome> =>
      under.engine.run(
        { attemptId: "3f0c1f1e-55a4-4e0f-9a53-0c6f2a3e9f10", pipeline, limitMs: 60_000 },
        { progress: (value) => progress.push(value), preview: (mime) => previews.push(mime) },
        controller.signal,
      ),
    async [Symbol.asyncDispose]() {
      await under.engine.free();
      await under.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
