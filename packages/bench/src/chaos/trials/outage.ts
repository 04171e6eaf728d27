import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@genai/testing";
import { Fleet } from "../fleet/fleet.ts";
import { readLedger } from "../fleet/ledger.ts";
import { judge } from "../fleet/verdict.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** How long the node may take to hand its result over once the server is back, in milliseconds. */
const DELIVERY_MS_MAX = 30_000;

/** The server dies while a node works, and is away while the node finishes. */
export const outage: Trial<"awayMs"> = {
  name: "outage",
  onlyStore: "sqlite",
  what: "a result that was made while the server was away arrives when it is back, and was made once",
  options: { awayMs: { default: 120_000, what: "milliseconds that the server is away" } },
  run,
};

async function run({ options, folder }: TrialContext<"awayMs">): Promise<TrialResult> {
  await using fleet = await Fleet.start(folder, { nodes: 1, slots: 1, stepMs: 250 });
  const { node, server, api } = fleet;
  const pipeline = { type: "standard", prompt: "made without its server", width: 64, height: 64, steps: 8, seed: 1 };
  const taskId = await api.submit(pipeline, "outage");
  await until("the node has begun", async () => (await api.task(taskId)).progress !== 0);
  await server.kill();
  await until("the result is on the node's disk", () => node.onDisk.length > 0);
  await sleep(options.awayMs);
  server.start();
  await server.ready();
  const backMs = performance.now();
  const task = await api.settled(taskId);
  const cameMs = performance.now() - backMs;
  while (node.undelivered() > 0 && performance.now() - backMs < DELIVERY_MS_MAX) await sleep(50);
  const bytes = await api.bytes(task.result?.artifacts[0]?.url ?? "");
  const { attempts, onDisk, violations } = judge(fleet, [taskId], readLedger(fleet.home));
  return {
    figures: [
      { name: "server away after the result, ms", value: options.awayMs, bound: "" },
      { name: "result there after its return, ms", value: Math.round(cameMs), bound: "" },
      { name: "bytes of the picture", value: bytes.length, bound: "" },
      { name: "attempts", value: attempts, bound: "1" },
      { name: "results made", value: onDisk, bound: "1" },
    ],
    violations: [
      ...violations,
      ...(task.state === "succeeded" ? [] : [`The task is ${task.state}.`]),
      ...(attempts === 1 && onDisk === 1 ? [] : [`It took ${attempts} attempts and was made ${onDisk} times.`]),
    ],
  };
}
