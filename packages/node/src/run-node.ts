import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openTracing } from "@genai/tracing";
import { type Logger, pino } from "pino";
import type { Flags } from "./command-line/flags.ts";
import { createEngine } from "./create-engine.ts";
import { EngineWatch } from "./engine-watch.ts";
import { lockHome } from "./home-lock.ts";
import { readJoinToken } from "./join-token.ts";
import { logLevel } from "./log-level.ts";
import { findGpu } from "./machine/gpu.ts";
import { capabilitiesOf } from "./node-capabilities.ts";
import { NodeClient } from "./node-client.ts";
import { homeFault, makeHome, readNodeId } from "./node-home.ts";
import { readNodeKey } from "./node-key.ts";
import { provision } from "./provisioning.ts";
import { Spool } from "./spool/spool.ts";
import { serveStatus } from "./status-page.ts";
import { VERSION } from "./version.ts";

/** The environment, for what is not a flag. */
type Environment = Readonly<Record<string, string | undefined>>;

const PROBE_TIMEOUT_MS = 20_000;

/** Runs the node until it has left the server, or was told to stop before it connected. */
export async function runNode(flags: Flags, environment: Environment): Promise<void> {
  const level = logLevel(environment.LOG_LEVEL);
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const signals = new SignalCount();
  try {
    await live(flags, environment, logger, signals);
  } catch (error) {
    if (!signals.first.aborted || error !== signals.first.reason) throw error;
  }
  logger.info("stopped");
}

async function live(flags: Flags, environment: Environment, logger: Logger, signals: SignalCount): Promise<void> {
  await provision(environment.PROVISIONING_SCRIPT, logger, signals.first);
  const { slots, once, backend = "" } = flags;
  const joinToken = await readJoinToken(flags);
  const { lock, nodeId, token, spool, kept } = await moveIn(flags, joinToken, logger, signals.first).catch(
    (error: unknown) => {
      throw homeFault(flags.home, error);
    },
  );
  const engine = createEngine(flags);
  const gpu = isTrue(environment.CPU) ? null : await findGpu();
  let client: NodeClient | null = null;
  const watch = new EngineWatch({
    engine,
    describe: (probe) => capabilitiesOf(flags.type, probe, gpu, flags),
    isBusy: () => client?.status.attempts.some(({ state }) => state === "running") ?? false,
    changed: (capabilities) => client?.capabilitiesChanged(capabilities),
    logger,
  });
  const capabilities = await watch.start(signals.first);
  const started = { nodeId, backend: withoutCredentials(backend), engine: flags.type };
  logger.info({ ...started, ready: capabilities.ready, kept: kept.length }, "starting");
  const tracing = await openTracing(environment, {
    serviceName: "genai-node",
    version: VERSION,
    onFailure: (reason) => logger.warn({ reason }, "traces can't be sent"),
  });
  client = new NodeClient({
    tracing,
    backend,
    token,
    nodeId,
    bootId: randomUUID(),
    slots,
    capabilities,
    engine,
    spool,
    kept,
    once,
    logger,
    engineDown: () => watch.engineDown(),
  });
  const status =
    flags.statusPort === undefined
      ? null
      : await serveStatus(flags.statusPort, () => ({
          nodeId,
          connection: client?.status.phase ?? "",
          attempts: client?.status.attempts ?? [],
          capabilities: { ...watch.capabilities, nodeClasses: undefined },
        }));
  if (status !== null) logger.info({ url: `http://127.0.0.1:${status.port}/` }, "status page");
  signals.each((count) => {
    logger.info(count === 1 ? { drainTimeoutS: flags.drainTimeout } : {}, count === 1 ? "draining" : "leaving at once");
    if (count > 1) client?.leave();
    else {
      client?.drain();
      tellWhatIsWaitedFor(client, logger);
      setTimeout(() => client?.leave(), Math.min(2 ** 31 - 1, flags.drainTimeout * 1_000)).unref();
    }
  });
  await client.run();
  watch.close();
  await status?.close();
  await tracing.close();
  lock?.close();
}

/** Takes the node's home, and reads what is in it. */
async function moveIn(flags: Flags, joinToken: string | null, logger: Logger, signal: AbortSignal) {
  const { home, backend = "" } = flags;
  await makeHome(home);
  const lock = await lockHome(home, logger);
  const nodeId = flags.nodeId ?? (await readNodeId(home));
  const token = await readNodeKey({ home, backend, nodeId, token: joinToken, logger, signal });
  // Pictures of a process that died between the engine and the spool.
  await rm(join(home, "scratch"), { recursive: true, force: true });
  return { lock, nodeId, token, ...(await Spool.open(join(home, "spool"))) };
}

/** Says why a node that runs nothing does not leave yet: what it has finished is being taken by the server, or will be soon. */
function tellWhatIsWaitedFor(client: NodeClient | null, logger: Logger): void {
  if (client === null) return;
  const { phase, attempts } = client.status;
  if (phase === "over" || attempts.length === 0 || attempts.some(({ state }) => state === "running")) return;
  const results = attempts.length === 1 ? "1 result" : `${attempts.length} results`;
  logger.info(
    `waiting for ${results} to be taken by the server; a second signal ends at once, and what is not taken is kept`,
  );
}

/** Probes the machine and its engine once and returns what the node would offer. Connects to nothing else. */
export async function describeNode(flags: Flags, environment: Environment) {
  const engine = createEngine(flags);
  try {
    const probe = await engine.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    const gpu = isTrue(environment.CPU) ? null : await findGpu();
    const reason = probe.state === "unready" ? { reason: probe.reason } : {};
    return { ...capabilitiesOf(flags.type, probe, gpu, flags), slots: flags.slots, ...reason };
  } finally {
    await engine.free();
  }
}

/** Counts SIGTERM and SIGINT together. Signals that came before there was a listener are reported once there is one. */
class SignalCount {
  readonly #first = new AbortController();
  #count = 0;
  #tell: (count: number) => void = () => {};

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        this.#count += 1;
        this.#first.abort(new Error(`stopped by ${signal}`));
        this.#tell(this.#count);
      });
    }
  }

  get first(): AbortSignal {
    return this.#first.signal;
  }

  each(tell: (count: number) => void): void {
    this.#tell = tell;
    if (this.#count > 0) queueMicrotask(() => tell(this.#count));
  }
}

/** A URL fit for the log: without user name, password and query, which may contain a token. */
function withoutCredentials(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.search = "";
  return url.href;
}

function isTrue(text: string | undefined): boolean {
  return /^(?:1|true|yes|on)$/i.test(text ?? "");
}
