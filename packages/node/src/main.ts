#!/usr/bin/env node
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import { AutomaticEngine } from "./engines/automatic/automatic-engine.ts";
import { ComfyUiEngine } from "./engines/comfy-ui/comfy-ui-engine.ts";
import type { Engine, EngineType } from "./engines/engine.ts";
import { createInputFetcher } from "./engines/fetch-input.ts";
import { TestEngine } from "./engines/test/test-engine.ts";
import { VoltaEngine } from "./engines/voltaml/voltaml-engine.ts";
import { capabilitiesOf } from "./node-capabilities.ts";
import { NodeClient } from "./node-client.ts";
import { readNodeId } from "./node-home.ts";
import { Spool } from "./spool/spool.ts";

interface Flags {
  readonly backend: string;
  readonly inference?: string;
  readonly type: EngineType;
  readonly models: string[];
  readonly minCost: number;
  readonly slots: number;
  readonly token?: string;
  readonly home: string;
  readonly nodeId?: string;
  readonly drainTimeout: number;
  readonly faultInjection: boolean;
  readonly stepMs: number;
  readonly allowPrivateInputs: boolean;
}

/** How often the engine is asked what it can do: often while it is not up. Milliseconds. */
const PROBE_EVERY_MS = { ready: 30_000, unready: 3_000 };
const PROBE_TIMEOUT_MS = 10_000;

const program = new Command("genai-node")
  .description("Connects this machine's image engine to a genai server. Dials out only; needs no open port.")
  .addOption(
    new Option("-b, --backend <url>", "WebSocket URL of the server")
      .env("BACKEND_SERVER")
      .makeOptionMandatory()
      .argParser(webSocketUrl),
  )
  .option("-i, --inference <url>", "HTTP URL of the engine")
  .addOption(
    new Option("-t, --type <engine>", "which engine it is")
      .choices(["automatic", "voltaml", "comfyUI", "test"])
      .default("test"),
  )
  .option("--models <names...>", "models to offer, instead of the engine's own list", [])
  .option("--min-cost <credits>", "price of a task on this node", nonNegative, 0)
  .option("--slots <n>", "tasks to run at once", positive, 1)
  .addOption(new Option("--token <token>", "join token").env("NODE_TOKEN"))
  .addOption(
    new Option("--home <folder>", "where the node id and undelivered results are kept")
      .env("GENAI_NODE_HOME")
      .default("./.genai-node"),
  )
  .option("--node-id <id>", "id of this node, instead of the one in its home")
  .option("--drain-timeout <seconds>", "how long running tasks may take to end after SIGTERM", nonNegative, 300)
  .option("--allow-private-inputs", "fetch input images from private addresses too", false)
  .option("--fault-injection", "test engine: obey [[fault:…]] in prompts", false)
  .option("--step-ms <ms>", "test engine: how long each step takes beyond the drawing", nonNegative, 0)
  .action(start);

await program.parseAsync();

async function start(flags: Flags): Promise<void> {
  const logger = pino({ level: process.env.LOG_LEVEL ?? "info", base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const engine = createEngine(flags);
  const nodeId = flags.nodeId ?? (await readNodeId(flags.home));
  const { spool, kept } = await Spool.open(join(flags.home, "spool"));
  const operator = { models: flags.models, minCost: flags.minCost };
  const probe = async () =>
    capabilitiesOf(flags.type, await engine.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS)), operator);
  let capabilities = await probe();
  logger.info({ nodeId, engine: flags.type, ready: capabilities.ready, kept: kept.length }, "starting");

  const { slots, backend } = flags;
  const token = flags.token === undefined || flags.token === "" ? null : flags.token;
  const client = new NodeClient({
    backend,
    token,
    nodeId,
    bootId: randomUUID(),
    slots,
    capabilities,
    engine,
    spool,
    kept,
    logger,
  });

  let probing: NodeJS.Timeout | undefined;
  const probeLater = (): void => {
    probing = setTimeout(
      async () => {
        const now = await probe();
        if (JSON.stringify(now) !== JSON.stringify(capabilities)) {
          logger.info({ ready: now.ready, warmModel: now.warmModel }, "the engine changed");
          capabilities = now;
          client.capabilitiesChanged(now);
        }
        probeLater();
      },
      capabilities.ready ? PROBE_EVERY_MS.ready : PROBE_EVERY_MS.unready,
    );
  };
  probeLater();

  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      logger.info({ signal }, signals === 1 ? "draining" : "leaving at once");
      if (signals > 1) client.leave();
      else {
        client.drain();
        setTimeout(() => client.leave(), flags.drainTimeout * 1_000).unref();
      }
    });
  }
  await client.run();
  clearTimeout(probing);
  logger.info("stopped");
  process.exit(0);
}

function createEngine(flags: Flags): Engine {
  const remote = {
    scratch: join(flags.home, "scratch"),
    fetchInput: createInputFetcher({ allowPrivate: flags.allowPrivateInputs }),
  };
  switch (flags.type) {
    case "test":
      return new TestEngine({ models: flags.models, faults: flags.faultInjection, stepMs: flags.stepMs });
    case "comfyUI":
      return new ComfyUiEngine({ url: flags.inference ?? "http://127.0.0.1:8188", ...remote });
    case "automatic":
      return new AutomaticEngine({ url: flags.inference ?? "http://127.0.0.1:7860", ...remote });
    case "voltaml":
      return new VoltaEngine({ url: flags.inference ?? "http://127.0.0.1:5003", ...remote });
  }
}

function webSocketUrl(text: string): string {
  if (!URL.canParse(text) || !/^wss?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be a ws:// or wss:// URL.");
  return text;
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1e9))
    throw new InvalidArgumentError("It must be a number from 0.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 64)
    throw new InvalidArgumentError("It must be a whole number from 1 to 64.");
  return value;
}
