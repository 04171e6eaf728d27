import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@genai/testing";
import { Fleet } from "./support/fleet.ts";
import { readLedger } from "./support/ledger.ts";
import { judge } from "./support/verdict.ts";

export interface OutageTrialOptions {
  /** How long the server is away once the result is on the node's disk, in milliseconds. */
  readonly awayMs: number;
}

/** The server dies while a node works, and is away while the node finishes. Throws unless the result is there when the server is back,
 *  made once. */
export async function outageTrial({ awayMs }: OutageTrialOptions): Promise<void> {
  await using fleet = await Fleet.start({ nodes: 1, slots: 1, stepMs: 250 });
  const [node] = fleet.nodes;
  if (node === undefined) throw new Error("The fleet was to have a node.");
  const pipeline = { type: "standard", prompt: "made without its server", width: 64, height: 64, steps: 8, seed: 1 };
  const taskId = await fleet.api.submit(pipeline, "outage");
  await until("the node has begun", async () => (await fleet.api.task(taskId)).progress !== 0);
  await fleet.server.kill();
  await until("the result is on the node's disk", () => node.onDisk.length > 0);
  await sleep(awayMs);
  fleet.server.start();
  await fleet.api.untilReady();
  const backMs = performance.now();
  const task = await fleet.api.settled(taskId);
  const cameMs = performance.now() - backMs;
  while (node.undelivered() > 0 && performance.now() - backMs < 30_000) await sleep(50);
  const bytes = await fleet.api.bytes(task.result?.artifacts[0]?.url ?? "");
  const { attempts, onDisk, violations } = judge(fleet, [taskId], readLedger(join(fleet.folder, "server")));
  console.info(
    `outage: the server was away for ${awayMs} ms after the result was made; it came ${cameMs.toFixed(0)} ms after the server was back ` +
      `(${bytes.length} bytes), of ${attempts} attempt, made ${onDisk} time`,
  );
  const broken = [...violations];
  if (task.state !== "succeeded") broken.push(`the task is ${task.state}`);
  if (attempts !== 1 || onDisk !== 1) broken.push(`it took ${attempts} attempts and was made ${onDisk} times`);
  if (broken.length > 0) throw new Error(`outage:\n  ${broken.join("\n  ")}`);
}
