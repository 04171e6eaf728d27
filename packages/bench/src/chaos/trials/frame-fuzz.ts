import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type FuzzReport, RawSocket } from "@genai/protocol/conformance";
import { freePort } from "@genai/testing";
import { percentile } from "../../support/percentile.ts";
import { ServerProcess } from "../processes/server-process.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** A node beside the attackers is answered so much later than without them, in milliseconds, 99 times of 100, and no more. */
const DELAY_MS_P99 = 100;
/** How long an attack may take, in milliseconds: a million frames take half a minute on a quiet machine. */
const ATTACK_MS_MAX = 30 * 60_000;
/** How long the node's answers are measured before the attack. */
const PEACE_MS = 5_000;

/** Hostile frames against a server, with a node beside them that sends heartbeats. */
export const frameFuzz: Trial<"frames"> = {
  name: "frame-fuzz",
  onlyStore: "sqlite",
  what: "hostile frames end their own sockets alone, and the nodes beside them are answered all the while",
  options: { frames: { default: 1_000_000, what: "frames to send" } },
  run,
};

async function run({ options, random, folder }: TrialContext<"frames">): Promise<TrialResult> {
  const port = await freePort();
  await using server = await ServerProcess.start({
    port,
    home: `${folder}/home`,
    databaseUrl: null,
    logFile: `${folder}/server.log`,
    environment: { LOG_LEVEL: "error" },
  });
  const bystander = await Bystander.join(port);
  await sleep(PEACE_MS);
  const peace = bystander.takeAnswers();
  const startMs = performance.now();
  const attack = new Worker(new URL("../frame-fuzz/fuzz-worker.js", import.meta.url), {
    workerData: { port, frames: options.frames, seed: random.seed },
  });
  const [report] = (await once(attack, "message", { signal: AbortSignal.timeout(ATTACK_MS_MAX) })) as [FuzzReport];
  const tookMs = performance.now() - startMs;
  await bystander.leave();
  const answers = bystander.takeAnswers();
  const laterMs = percentile(answers, 0.99) - percentile(peace, 0.99);
  return {
    figures: [
      { name: "frames", value: report.frames, bound: "" },
      { name: "connections", value: report.connections, bound: "" },
      { name: "attack, s", value: Number((tookMs / 1_000).toFixed(1)), bound: "" },
      { name: "close codes", value: JSON.stringify(report.closeCodes), bound: "" },
      { name: "connections given up", value: report.givenUp, bound: "" },
      { name: "a node's answer before, p99 ms", value: tenths(percentile(peace, 0.99)), bound: "" },
      { name: "a node's answer meanwhile, p50 ms", value: tenths(percentile(answers, 0.5)), bound: "" },
      { name: "a node's answer meanwhile, p99 ms", value: tenths(percentile(answers, 0.99)), bound: "" },
      { name: "a node's answer later by, p99 ms", value: tenths(laterMs), bound: `at most ${DELAY_MS_P99}` },
    ],
    violations: [
      ...(server.isRunning ? [] : ["The server has ended."]),
      ...(laterMs <= DELAY_MS_P99 ? [] : [`The node's answers come ${Math.round(laterMs)} ms later.`]),
    ],
  };
}

/** A node beside the attackers, which sends a heartbeat every 20 ms and measures its answer. Where it loses its connection its
 *  `leave` throws. */
class Bystander {
  readonly #socket: RawSocket;
  readonly #heartbeats: Promise<void>;
  #answersMs: number[] = [];
  #over = false;

  private constructor(socket: RawSocket) {
    this.#socket = socket;
    this.#heartbeats = this.#beat();
  }

  static async join(port: number): Promise<Bystander> {
    const socket = await RawSocket.connect(port);
    const capabilities = { engine: "test", pipelines: [] };
    socket.say({ type: "register", protocol: 2, nodeId: "bystander", bootId: "b", capabilities, slots: 1, held: [] });
    await socket.nextOf("registered");
    return new Bystander(socket);
  }

  /** How long its answers took since the last call, in milliseconds. */
  takeAnswers(): readonly number[] {
    return this.#answersMs.splice(0);
  }

  async leave(): Promise<void> {
    this.#over = true;
    await this.#heartbeats;
    this.#socket.cut();
  }

  async #beat(): Promise<void> {
    for (let seq = 0; !this.#over; seq++) {
      const saidMs = performance.now();
      this.#socket.say({ type: "heartbeat", seq, free: 1, running: [] });
      await this.#socket.nextOf("heartbeatAck");
      this.#answersMs.push(performance.now() - saidMs);
      await sleep(20);
    }
  }
}

function tenths(ms: number): number {
  return Number(ms.toFixed(1));
}
