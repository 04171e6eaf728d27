import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TcpProxy } from "@genai/protocol/conformance";
import { freePort } from "@genai/testing";
import { ask } from "../clients/ask.ts";
import { checkHistory } from "../clients/check-history.ts";
import { Client } from "../clients/client.ts";
import { ClientLog } from "../clients/client-log.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { endInOrder } from "../processes/end-in-order.ts";
import { PostgresProcess } from "../processes/postgres-process.ts";
import { ServerProcess } from "../processes/server-process.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "seconds" | "blackHole" | "clients" | "nodes";

/** A write is refused, readiness falls and all is back within these, in milliseconds. */
const REFUSED_MS_MAX = 2_000;
const RED_MS_MAX = 5_000;
const BACK_MS_MAX = 5_000;
/** Attempts for each task: an outage is no reason to do work again. */
const ATTEMPTS_MAX = 1.05;
const PROBE_EVERY_MS = 100;
const SETTLE_MS = 60_000;

/** PostgreSQL goes away for a while, with the whole load on. */
export const databaseOutage: Trial<Option> = {
  name: "database-outage",
  onlyStore: "postgres",
  what: "while PostgreSQL is away writes are 503 in time, nodes stay connected, and all goes on by itself when it is back",
  options: {
    seconds: { default: 0, what: "how long it is away; 0: 5, then 30, then 120" },
    blackHole: { default: 0, what: "1: the link swallows everything, instead of a database that is stopped" },
    clients: { default: 32, what: "clients at once" },
    nodes: { default: 20, what: "nodes, half of each protocol" },
  },
  run,
};

async function run({ options, random, folder, say }: TrialContext<Option>): Promise<TrialResult> {
  await using postgres = await PostgresProcess.start(join(folder, "postgres"), { existing: false });
  await postgres.createDatabase("chaos");
  await using link = await TcpProxy.to(postgres.port);
  const port = await freePort();
  const home = join(folder, "home");
  const base = `http://127.0.0.1:${port}`;
  const server = await ServerProcess.start({
    home,
    port,
    databaseUrl: postgres.url("chaos", link.port),
    logFile: join(folder, "server.log"),
  });
  const log = new ClientLog();
  const over = new AbortController();
  using nodes = new ScriptedNodes({ port, count: options.nodes, workMs: [50, 400], random: random.fork() });
  let ended = false;
  const clients = Array.from({ length: options.clients }, (_, index) =>
    new Client(base, `client-${index % 8}`, random.fork(), log, over.signal).run(() => ended),
  );
  const outages: Outage[] = [];
  try {
    await setTimeout(2_000);
    for (const seconds of options.seconds > 0 ? [options.seconds] : [5, 30, 120]) {
      say(`away for ${seconds} s`);
      const outage = new Outage(base, nodes, seconds);
      if (options.blackHole > 0) link.setFault({ type: "blackHole" });
      else await postgres.stop();
      await outage.watch();
      if (options.blackHole > 0) link.heal();
      else await postgres.resume();
      await outage.watchReturn();
      outages.push(outage);
      await setTimeout(2_000);
    }
    ended = true;
    const givenUp = globalThis.setTimeout(() => over.abort(), SETTLE_MS);
    await Promise.all(clients);
    clearTimeout(givenUp);
    const ends = await checkHistory(base, log, SETTLE_MS);
    await endInOrder(server, { home, databaseUrl: postgres.url("chaos") }, nodes, log);
    return result(outages, log, nodes, ends);
  } finally {
    over.abort();
    await server.kill();
  }
}

/** One outage, as somebody sees it who asks every tenth of a second. */
class Outage {
  readonly seconds: number;
  readonly violations: string[] = [];
  /** From the start of the outage until `/readyz` says so, and from its end until it is good and a write is taken again. */
  redAfterMs = Number.NaN;
  readyAfterMs = Number.NaN;
  writableAfterMs = Number.NaN;
  refusals = 0;
  slowestRefusalMs = 0;
  nodesLeast: number;
  readonly #base: string;
  readonly #nodes: ScriptedNodes;

  constructor(base: string, nodes: ScriptedNodes, seconds: number) {
    this.seconds = seconds;
    this.#base = base;
    this.#nodes = nodes;
    this.nodesLeast = nodes.onlineCount;
  }

  async watch(): Promise<void> {
    const startedAtMs = performance.now();
    const probes: Promise<void>[] = [];
    while (performance.now() - startedAtMs < this.seconds * 1_000) {
      probes.push(this.#probeWrite(performance.now() - startedAtMs), this.#probeReadiness(startedAtMs));
      this.nodesLeast = Math.min(this.nodesLeast, this.#nodes.onlineCount);
      await setTimeout(PROBE_EVERY_MS);
    }
    await Promise.all(probes);
    if (!(this.redAfterMs <= RED_MS_MAX)) {
      this.violations.push(`/readyz was red after ${Math.round(this.redAfterMs)} ms of an outage.`);
    }
  }

  async watchReturn(): Promise<void> {
    const backAtMs = performance.now();
    const since = () => performance.now() - backAtMs;
    while (since() < 4 * BACK_MS_MAX && !(this.readyAfterMs >= 0 && this.writableAfterMs >= 0)) {
      const [readiness, written] = await Promise.all([ask(`${this.#base}/readyz`), submit(this.#base)]);
      if (readiness?.status === 200 && !(this.readyAfterMs >= 0)) this.readyAfterMs = since();
      if (written?.status === 201 && !(this.writableAfterMs >= 0)) this.writableAfterMs = since();
      await setTimeout(PROBE_EVERY_MS / 2);
    }
    for (const [what, afterMs] of [
      ["ready", this.readyAfterMs],
      ["writable", this.writableAfterMs],
    ] as const) {
      if (!(afterMs <= BACK_MS_MAX)) this.violations.push(`${what} only ${Math.round(afterMs)} ms after the return.`);
    }
  }

  async #probeWrite(sinceStartMs: number): Promise<void> {
    const answer = await submit(this.#base);
    if (answer === null)
      this.violations.push(`A write ${Math.round(sinceStartMs)} ms into the outage was not answered.`);
    else if (answer.status === 503) {
      this.refusals += 1;
      this.slowestRefusalMs = Math.max(this.slowestRefusalMs, answer.afterMs);
      if (answer.afterMs > REFUSED_MS_MAX) this.violations.push(`A write was refused after ${answer.afterMs} ms.`);
      if (!answer.headers.has("retry-after")) this.violations.push("A 503 came without Retry-After.");
    } else if (answer.status !== 201) this.violations.push(`A write was answered with ${answer.status}.`);
  }

  async #probeReadiness(startedAtMs: number): Promise<void> {
    const [readiness, health] = await Promise.all([ask(`${this.#base}/readyz`), ask(`${this.#base}/healthz`)]);
    if (readiness?.status === 503 && !(this.redAfterMs >= 0)) this.redAfterMs = performance.now() - startedAtMs;
    if (health?.status !== 200) this.violations.push(`/healthz answered ${health?.status ?? "nothing"}.`);
  }
}

function submit(base: string) {
  const json = { pipeline: { type: "standard", prompt: "a probe", width: 64, height: 64, steps: 2 } };
  const headers = { authorization: "Bearer probe", "idempotency-key": randomUUID() };
  return ask(`${base}/v2/tasks`, { method: "POST", headers, json });
}

function result(
  outages: readonly Outage[],
  log: ClientLog,
  nodes: ScriptedNodes,
  ends: Readonly<Record<string, number>>,
): TrialResult {
  const attempts = nodes.deliveries / log.tasks.length;
  const violations = [...log.violations, ...outages.flatMap((outage) => outage.violations.slice(0, 10))];
  for (const { seconds, nodesLeast } of outages) {
    if (nodesLeast < nodes.size) violations.push(`${nodes.size - nodesLeast} nodes lost their socket in ${seconds} s.`);
  }
  if (attempts > ATTEMPTS_MAX) violations.push(`${attempts.toFixed(3)} attempts for each task.`);
  if (log.refusedWithoutHint > 0) violations.push(`${log.refusedWithoutHint} refusals came without Retry-After.`);
  return {
    figures: [
      ...outages.flatMap((outage) => [
        { name: `${outage.seconds} s: writes refused`, value: outage.refusals, bound: "" },
        {
          name: `${outage.seconds} s: slowest refusal, ms`,
          value: Math.round(outage.slowestRefusalMs),
          bound: `at most ${REFUSED_MS_MAX}`,
        },
        {
          name: `${outage.seconds} s: /readyz red after, ms`,
          value: Math.round(outage.redAfterMs),
          bound: `at most ${RED_MS_MAX}`,
        },
        {
          name: `${outage.seconds} s: ready again after, ms`,
          value: Math.round(outage.readyAfterMs),
          bound: `at most ${BACK_MS_MAX}`,
        },
        {
          name: `${outage.seconds} s: writable again after, ms`,
          value: Math.round(outage.writableAfterMs),
          bound: `at most ${BACK_MS_MAX}`,
        },
      ]),
      { name: "tasks acknowledged to clients", value: log.tasks.length, bound: "" },
      { name: "ended succeeded", value: ends.succeeded ?? 0, bound: "" },
      { name: "attempts for each task", value: Number(attempts.toFixed(3)), bound: `at most ${ATTEMPTS_MAX}` },
    ],
    violations,
  };
}
