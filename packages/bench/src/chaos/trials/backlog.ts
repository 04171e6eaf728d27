import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "../fleet/fleet.ts";
import { readLedger } from "../fleet/ledger.ts";
import { judge } from "../fleet/verdict.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** How long the node may take for all that waited, in milliseconds. */
const WORK_MS_MAX = 120_000;

/** kill -9 of the server while tasks wait and its node is cut off. */
export const backlog: Trial<"tasks"> = {
  name: "backlog",
  onlyStore: "sqlite",
  what: "tasks that waited when the server was killed are all finished by the node that reconnects",
  options: { tasks: { default: 200, what: "tasks to submit" } },
  run,
};

async function run({ options, folder }: TrialContext<"tasks">): Promise<TrialResult> {
  await using fleet = await Fleet.start(folder, { nodes: 1, slots: 4, stepMs: 0 });
  const { node, server, api, home } = fleet;
  const submit = (seed: number): Promise<string> => {
    const pipeline = { type: "standard", prompt: "one of many", width: 64, height: 64, steps: 1, seed };
    return api.submit(pipeline, `key-${seed}`);
  };
  const first = await submit(0);
  await api.settled(first);
  node.link.refuse();
  node.link.reset();
  const waiting = await Promise.all(Array.from({ length: options.tasks }, (_, index) => submit(index + 1)));
  await server.kill();
  const waited = readLedger(home).filter(({ settledAtMs }) => settledAtMs === null).length;
  server.start();
  await server.ready();
  node.link.heal();
  const backMs = performance.now();
  const all = options.tasks + 1;
  let done = 0;
  while (done < all && performance.now() - backMs < WORK_MS_MAX) {
    await sleep(100);
    done = readLedger(home).filter(({ state }) => state === "succeeded").length;
  }
  const workMs = performance.now() - backMs;
  while (node.undelivered() > 0 && performance.now() - backMs < WORK_MS_MAX) await sleep(50);
  const { ended, attempts, violations } = judge(fleet, [first, ...waiting], readLedger(home));
  return {
    figures: [
      { name: "tasks that waited at the kill -9", value: waited, bound: String(options.tasks) },
      { name: "ended on the node that reconnected", value: ended - 1, bound: String(options.tasks) },
      { name: "all of them after the server's return, ms", value: Math.round(workMs), bound: "" },
      { name: "attempts", value: attempts - 1, bound: "" },
    ],
    violations: [
      ...violations,
      ...(waited === options.tasks ? [] : [`${waited} of ${options.tasks} tasks waited.`]),
      ...(done === all ? [] : [`${all - done} tasks did not succeed.`]),
    ],
  };
}
