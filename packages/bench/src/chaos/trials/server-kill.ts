import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "@genai/testing";
import { percentile } from "../../support/percentile.ts";
import { checkHistory } from "../clients/check-history.ts";
import { Client } from "../clients/client.ts";
import { ClientLog } from "../clients/client-log.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { endInOrder } from "../processes/end-in-order.ts";
import { ServerProcess } from "../processes/server-process.ts";
import { databaseFor } from "../processes/trial-database.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** One kill in so many comes while the server is still starting. */
const STARTING_SHARE = 0.15;
/** After the last kill everything has to end within this time, in milliseconds. */
const SETTLE_MS = 120_000;

/** How long a server that is ready may take to send a task before it is killed all the same, in milliseconds. */
const FIRST_TASK_MS = 10_000;

/** The server is killed again and again, at any moment, while clients submit and nodes work. */
export const serverKill: Trial<"tasks" | "kills" | "clients" | "nodes" | "startMsMax"> = {
  name: "server-kill",
  what: "a server that is killed at any moment loses no acknowledged task, settles none twice, and each ends",
  options: {
    tasks: { default: 10_000, what: "tasks to acknowledge" },
    kills: { default: 100, what: "times that the server is killed" },
    clients: { default: 64, what: "clients at once" },
    nodes: { default: 20, what: "nodes, half of each protocol" },
    startMsMax: { default: 2_000, what: "most milliseconds from a start to the first task that is sent, p99; 0: any" },
  },
  run,
};

async function run(
  context: TrialContext<"tasks" | "kills" | "clients" | "nodes" | "startMsMax">,
): Promise<TrialResult> {
  const { options, random, folder, say } = context;
  await using database = await databaseFor(context);
  const port = await freePort();
  const home = join(folder, "home");
  const server = { home, port, databaseUrl: database.url, logFile: join(folder, "server.log") };
  const base = `http://127.0.0.1:${port}`;
  const log = new ClientLog();
  const over = new AbortController();
  using nodes = new ScriptedNodes({ port, count: options.nodes, workMs: [20, 200], random: random.fork() });
  let kills = 0;
  const enough = () => kills >= options.kills && log.tasks.length >= options.tasks;
  const clients = Array.from({ length: options.clients }, (_, index) =>
    new Client(base, `client-${index % 8}`, random.fork(), log, over.signal).run(enough),
  );
  const starts: Starts = { readyMs: [], firstTaskMs: [] };
  try {
    for (; kills < options.kills; kills++) {
      const trouble = await liveAndDie(server, nodes, random, starts);
      if (trouble !== null) log.violation(trouble);
      if ((kills + 1) % 10 === 0) say(`${kills + 1} kills, ${log.tasks.length} tasks acknowledged`);
    }
    const last = await ServerProcess.start(server);
    while (log.tasks.length < options.tasks && !last.diedByItself) await setTimeout(100);
    say("no more kills; waiting for the last ends");
    const givenUp = globalThis.setTimeout(() => over.abort(), SETTLE_MS);
    await Promise.all(clients);
    clearTimeout(givenUp);
    const ends = await checkHistory(base, log, SETTLE_MS);
    await endInOrder(last, server, nodes, log);
    return result(options.startMsMax, { kills, log, ends, starts, deliveries: nodes.deliveries });
  } finally {
    over.abort();
  }
}

interface Starts {
  /** From a start until it takes work, and until the first task frame reaches a node; in milliseconds. */
  readonly readyMs: number[];
  readonly firstTaskMs: number[];
}

/** One life of the server. Returns what went wrong, or null. */
async function liveAndDie(
  options: ConstructorParameters<typeof ServerProcess>[0],
  nodes: ScriptedNodes,
  random: TrialContext["random"],
  starts: Starts,
): Promise<string | null> {
  const server = new ServerProcess(options);
  server.start();
  const firstTask = nodes.nextTask(FIRST_TASK_MS);
  if (random.next() < STARTING_SHARE) await setTimeout(random.between(0, 800));
  else {
    try {
      await server.ready();
    } catch (error) {
      await server.kill();
      return error instanceof Error ? error.message : String(error);
    }
    starts.readyMs.push(performance.now() - server.startedAtMs);
    if (await firstTask) starts.firstTaskMs.push(performance.now() - server.startedAtMs);
    await setTimeout(random.between(0, 1_500));
  }
  if (server.diedByItself) return "The server ended by itself.";
  await server.kill();
  return null;
}

function result(
  startMsMax: number,
  seen: {
    readonly kills: number;
    readonly log: ClientLog;
    readonly ends: Readonly<Record<string, number>>;
    readonly starts: Starts;
    readonly deliveries: number;
  },
): TrialResult {
  const { kills, log, ends, starts, deliveries } = seen;
  const firstTaskP99 = Math.round(percentile(starts.firstTaskMs, 0.99));
  if (startMsMax > 0 && firstTaskP99 > startMsMax) {
    log.violation(`The first task after a start took ${firstTaskP99} ms (p99), more than ${startMsMax} ms.`);
  }
  return {
    figures: [
      { name: "kills", value: kills, bound: "" },
      { name: "tasks acknowledged", value: log.tasks.length, bound: "" },
      { name: "ended succeeded", value: ends.succeeded ?? 0, bound: "" },
      { name: "ended canceled", value: ends.canceled ?? 0, bound: "" },
      { name: "ended failed", value: ends.failed ?? 0, bound: "" },
      { name: "missing or without an end", value: log.tasks.length - endedOf(ends), bound: "0" },
      { name: "submissions without an answer", value: log.unanswered, bound: "" },
      { name: "attempts sent for each task", value: Number((deliveries / log.tasks.length).toFixed(2)), bound: "" },
      { name: "start to ready, p50 ms", value: Math.round(percentile(starts.readyMs, 0.5)), bound: "" },
      { name: "start to first task, p50 ms", value: Math.round(percentile(starts.firstTaskMs, 0.5)), bound: "" },
      {
        name: "start to first task, p99 ms",
        value: firstTaskP99,
        bound: startMsMax > 0 ? `at most ${startMsMax}` : "",
      },
    ],
    violations: log.violations,
  };
}

function endedOf(ends: Readonly<Record<string, number>>): number {
  return (ends.succeeded ?? 0) + (ends.failed ?? 0) + (ends.canceled ?? 0);
}
