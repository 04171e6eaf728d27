import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort } from "@genai/testing";
import { Program } from "../processes/program.ts";
import { programOf } from "../processes/programs.ts";
import { ClusterContainers, engineTrouble } from "../scaler/cluster-containers.ts";
import { Gate } from "../scaler/gate.ts";
import { NodeOwner } from "../scaler/node-owner.ts";
import { ScalerCalls } from "../scaler/scaler-client.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** A kill comes at most so many times later than a creation and a deletion take on this machine, as measured at the start: some come in
 *  the midst of the first, others after many. */
const KILL_WITHIN = 2;
/** A node in name only: it waits, and ends when it is told to. */
const STUB = "process.on('SIGTERM',()=>process.exit(0));setInterval(()=>{},1000)";

/** The scaler is killed again and again while nodes are made and removed on a real engine. */
export const scalerKill: Trial<"kills" | "owners"> = {
  name: "scaler-kill",
  what: "a scaler that is killed at any moment leaves no container that its list does not show, and makes none twice",
  options: {
    kills: { default: 50, what: "times that the scaler is killed" },
    owners: { default: 3, what: "callers that make and remove nodes" },
  },
  run,
};

async function run({ options, random, folder, say }: TrialContext<"kills" | "owners">): Promise<TrialResult> {
  const trouble = await engineTrouble();
  if (trouble !== null) return { figures: [], violations: [], skipped: trouble };
  const clusterId = `chaos${randomUUID().slice(0, 8)}`;
  const address = `127.0.0.1:${await freePort()}`;
  const containers = new ClusterContainers(clusterId);
  const environment = {
    GRPC_SERVER_ADDR: address,
    CLUSTER_ID: clusterId,
    STOP_GRACE: "2s",
    LOG_LEVEL: "info",
    DOCKER_HOST: process.env.DOCKER_HOST,
  };
  await using scaler = new Program({ args: [programOf("scaler")], environment, logFile: join(folder, "scaler.log") });
  using calls = new ScalerCalls(address);
  const gate = new Gate();
  const over = new AbortController();
  const request = {
    platform: "local",
    backend: "ws://192.0.2.1:8080",
    image: await baseImage(),
    args: ["node", "-e", STUB],
    resources: { memoryBytes: String(256 * 1024 ** 2), cpus: 1 },
  };
  const owners = Array.from(
    { length: options.owners },
    (_, n) => new NodeOwner(`owner-${n}`, calls, random.fork(), gate, request),
  );
  const violations: string[] = [];
  let looks = 0;
  try {
    scaler.start();
    const onceMs = await timed(async () => calls.remove(await calls.create(request)));
    const running = owners.map((owner) => owner.run(over.signal));
    for (let kill = 1; kill <= options.kills; kill += 1) {
      await calls.list();
      await pause(random.between(0, KILL_WITHIN * onceMs));
      const closed = gate.close();
      await scaler.kill();
      scaler.start();
      await closed;
      violations.push(...(await look(calls, containers, `after kill ${kill}`)));
      looks += 1;
      gate.open();
      if (kill % 10 === 0) say(`${kill} kills, ${sum(owners, ({ created }) => created)} nodes made`);
    }
    over.abort();
    await Promise.all(running);
    violations.push(...owners.flatMap((owner) => owner.violations));
    await Promise.all((await calls.list()).map(({ nodeId }) => calls.remove(nodeId)));
    const left = (await containers.all()).filter(({ ended }) => !ended);
    violations.push(...left.map(({ id }) => `Container ${id} runs on, though every node was deleted.`));
    const figure = (name: string, value: number, bound = "") => ({ name, value, bound });
    return {
      figures: [
        figure("kills", options.kills),
        figure("one creation and deletion, ms", Math.round(onceMs)),
        figure(
          "nodes made",
          sum(owners, ({ created }) => created),
        ),
        figure(
          "nodes removed",
          sum(owners, ({ removed }) => removed),
        ),
        figure(
          "calls cut off",
          sum(owners, ({ cutOff }) => cutOff),
        ),
        figure("looks at the engine", looks),
        figure("violations", violations.length, "0"),
      ],
      violations,
    };
  } finally {
    over.abort();
    gate.open();
    await scaler.kill();
    await containers.removeAll();
  }
}

/** What the engine has and the list does not show, what the list shows and the engine does not have, and what is there twice. */
async function look(calls: ScalerCalls, containers: ClusterContainers, when: string): Promise<readonly string[]> {
  const listed = new Set((await calls.list()).map(({ nodeId }) => nodeId));
  const all = await containers.all();
  // A node that was stopping when it was listed may have ended in between; its container stays for its logs.
  const exists = new Set(all.map(({ id }) => id));
  const there = all.filter(({ ended, deleted }) => !(ended && deleted));
  const ids = new Set(there.map(({ id }) => id));
  const keys = there.filter(({ key, deleted }) => key !== "" && !deleted).map(({ key }) => key);
  return [
    ...[...ids].filter((id) => !listed.has(id)).map((id) => `Container ${id} is in no list ${when}.`),
    ...[...listed].filter((id) => !exists.has(id)).map((id) => `Node ${id} is listed and not there ${when}.`),
    ...keys.filter((key, n) => keys.indexOf(key) !== n).map((key) => `Key ${key} has two containers ${when}.`),
  ];
}

/** An image with a Node and nothing else, made where it is missing. */
async function baseImage(): Promise<string> {
  const script = fileURLToPath(new URL("../../../../../docker/make-base-image.js", import.meta.url));
  return (await promisify(execFile)(process.execPath, [script], { timeout: 120_000 })).stdout.trim();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
