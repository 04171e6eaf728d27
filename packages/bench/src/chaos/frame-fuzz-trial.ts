import { setTimeout as sleep } from "node:timers/promises";
import { fuzzFrames, RawSocket } from "@genai/protocol/conformance";
import { percentile } from "../support/percentile.ts";
import { Fleet } from "./support/fleet.ts";

/** A node beside the attackers is answered within this, in milliseconds, 99 times of 100. */
const ANSWER_MS_P99 = 100;

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
  const answersMs: number[] = [];
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
  const startMs = performance.now();
  const report = await fuzzFrames({ port: fleet.port, frames, seed });
  const tookMs = performance.now() - startMs;
  over = true;
  await heartbeats;
  bystander.cut();
  const p99 = percentile(answersMs, 0.99);
  console.info(
    `frame-fuzz: ${report.frames} frames over ${report.connections} connections in ${(tookMs / 1_000).toFixed(1)} s, ` +
      `close codes ${JSON.stringify(report.closeCodes)}`,
  );
  console.info(
    `frame-fuzz: ${answersMs.length} heartbeats of a node beside them answered, p50 ${percentile(answersMs, 0.5).toFixed(1)} ms, ` +
      `p99 ${p99.toFixed(1)} ms, most ${Math.max(...answersMs).toFixed(1)} ms`,
  );
  if (!fleet.server.isRunning) throw new Error(`frame-fuzz, seed ${seed}: the server has ended`);
  if (p99 > ANSWER_MS_P99) throw new Error(`frame-fuzz, seed ${seed}: the p99 of the answers is ${p99.toFixed(1)} ms`);
}
