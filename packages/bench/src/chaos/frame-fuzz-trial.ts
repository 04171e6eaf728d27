import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type FuzzReport, RawSocket } from "@genai/protocol/conformance";
import { percentile } from "../support/percentile.ts";
import { Fleet } from "./support/fleet.ts";

/** A node beside the attackers is answered so much later than without them, in milliseconds, 99 times of 100, and no more. */
const DELAY_MS_P99 = 100;
/** How long an attack may take, in milliseconds: a million frames take half a minute on a quiet machine. */
const ATTACK_MS_MAX = 30 * 60_000;
/** How long the node's answers are measured before the attack. */
const PEACE_MS = 5_000;

export interface FrameFuzzTrialOptions {
  readonly frames: number;
  readonly seed: number;
}

/** Hostile frames against a server as a process, with a node beside them that sends heartbeats. Throws where the server dies, the node
 *  loses its connection, or the node is kept waiting. */
export async function frameFuzzTrial({ frames, seed }: FrameFuzzTrialOptions): Promise<void> {
  await using fleet = await Fleet.start({ nodes: 0, slots: 1, stepMs: 0, environment: { LOG_LEVEL: "error" } });
  const bystander = await RawSocket.connect(fleet.port);
  const capabilities = { engine: "test", pipelines: [] };
  bystander.say({ type: "register", protocol: 2, nodeId: "bystander", bootId: "b", capabilities, slots: 1, held: [] });
  await bystander.nextOf("registered");
  let answersMs: number[] = [];
  let over = false;
  const heartbeats = (async () => {
    for (let seq = 0; !over; seq++) {
      const saidMs = performance.now();
      bystander.say({ type: "heartbeat", seq, free: 1, running: [] });
      await bystander.nextOf("heartbeatAck");
      answersMs.push(performance.now() - saidMs);
      await sleep(20);
    }
  })();
  await sleep(PEACE_MS);
  const peace = answersMs;
  answersMs = [];
  const startMs = performance.now();
  const attack = new Worker(new URL("./support/fuzz-worker.js", import.meta.url), {
    workerData: { port: fleet.port, frames, seed },
  });
  const limit = AbortSignal.timeout(ATTACK_MS_MAX);
  const [report] = (await once(attack, "message", { signal: limit })) as [FuzzReport];
  const tookMs = performance.now() - startMs;
  over = true;
  await heartbeats;
  bystander.cut();
  console.info(
    `frame-fuzz: ${report.frames} frames over ${report.connections} connections in ${(tookMs / 1_000).toFixed(1)} s, ` +
      `close codes ${JSON.stringify(report.closeCodes)}, ${report.givenUp} given up`,
  );
  console.info(
    `frame-fuzz: a node is answered before the attack in ${timesOf(peace)}; during it in ${timesOf(answersMs)}`,
  );
  if (!fleet.server.isRunning) throw new Error(`frame-fuzz, seed ${seed}: the server has ended`);
  const laterMs = percentile(answersMs, 0.99) - percentile(peace, 0.99);
  if (laterMs > DELAY_MS_P99) throw new Error(`frame-fuzz, seed ${seed}: answers come ${laterMs.toFixed(0)} ms later`);
}

function timesOf(ms: readonly number[]): string {
  const times = [percentile(ms, 0.5), percentile(ms, 0.99), Math.max(...ms)].map((each) => each.toFixed(1));
  return `${times.join(" / ")} ms (p50 / p99 / most of ${ms.length})`;
}
