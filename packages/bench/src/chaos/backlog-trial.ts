import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "./support/fleet.ts";
import { readLedger } from "./support/ledger.ts";
import { judge } from "./support/verdict.ts";

/** How long the node may take for all that waited, in milliseconds. */
const WORK_MS_MAX = 120_000;

export interface BacklogTrialOptions {
  readonly tasks: number;
}

/** kill -9 of the server while tasks wait and its node is cut off. Throws unless the node that reconnects finishes every one. */
export async function backlogTrial({ tasks }: BacklogTrialOptions): Promise<void> {
  await using fleet = await Fleet.start({ nodes: 1, slots: 4, stepMs: 0 });
  const [node] = fleet.nodes;
  if (node === undefined) throw new Error("The fleet was to have a node.");
  const pipeline = (seed: number) => ({
    type: "standard",
    prompt: "one of many",
    width: 64,
    height: 64,
    steps: 1,
    seed,
  });
  const first = await fleet.api.submit(pipeline(0), "key-0");
  await fleet.api.settled(first);
  node.link.refuse();
  node.link.reset();
  const waiting = await Promise.all(
    Array.from({ length: tasks }, (_, i) => fleet.api.submit(pipeline(i + 1), `key-${i + 1}`)),
  );
  await fleet.server.kill();
  const waited = readLedger(join(fleet.folder, "server")).filter(({ settledAtMs }) => settledAtMs === null).length;
  fleet.server.start();
  await fleet.api.untilReady();
  node.link.heal();
  const backMs = performance.now();
  let done = 0;
  while (done < tasks + 1 && performance.now() - backMs < WORK_MS_MAX) {
    await sleep(100);
    done = readLedger(join(fleet.folder, "server")).filter(({ state }) => state === "succeeded").length;
  }
  const workMs = performance.now() - backMs;
  while (node.undelivered() > 0 && performance.now() - backMs < WORK_MS_MAX) await sleep(50);
  const { ended, attempts, violations } = judge(fleet, [first, ...waiting], readLedger(join(fleet.folder, "server")));
  console.info(
    `backlog: ${waited} tasks waited at the kill -9; ${ended - 1} of them ended on the node that reconnected, ` +
      `${(workMs / 1_000).toFixed(2)} s after the server was back, in ${attempts - 1} attempts`,
  );
  const broken = [...violations];
  if (waited !== tasks) broken.push(`${waited} of ${tasks} tasks waited`);
  if (done !== tasks + 1) broken.push(`${tasks + 1 - done} tasks did not succeed`);
  if (broken.length > 0) throw new Error(`backlog:\n  ${broken.slice(0, 30).join("\n  ")}`);
}
