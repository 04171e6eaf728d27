import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "@genai/testing";
import { percentile } from "../../support/percentile.ts";
import { usageOf } from "../../support/process-usage.ts";
import { checkHistory } from "../clients/check-history.ts";
import { Client } from "../clients/client.ts";
import { ClientLog } from "../clients/client-log.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { endInOrder } from "../processes/end-in-order.ts";
import { ServerProcess } from "../processes/server-process.ts";
import { databaseFor } from "../processes/trial-database.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "minutes" | "clients" | "nodes";

const SAMPLE_MS = 2_000;
/** How much memory may grow between the second third and the last, and the time of a task likewise, as shares. */
const MEMORY_GROWTH_MAX = 0.05;
const LATENCY_GROWTH_MAX = 0.2;
const HANDLES_GROWTH_MAX = 16;

interface Sample {
  readonly residentMb: number;
  readonly handles: number;
}

/** A steady load for a while, at about half of what the nodes can take. */
export const soak: Trial<Option> = {
  name: "soak",
  what: "under a steady load memory, handles and the time of a task stay where they are",
  options: {
    minutes: { default: 15, what: "how long the load lasts" },
    clients: { default: 10, what: "clients at once" },
    nodes: { default: 20, what: "nodes, half of each protocol" },
  },
  run,
};

async function run(context: TrialContext<Option>): Promise<TrialResult> {
  const { options, folder, random, say } = context;
  await using database = await databaseFor(context);
  const port = await freePort();
  const home = join(folder, "home");
  const server = await ServerProcess.start({
    home,
    port,
    databaseUrl: database.url,
    logFile: join(folder, "server.log"),
    // Kept for so short that what is removed and what is made are equal by the second third.
    environment: { TASK_TTL: "1m", ARTIFACT_TTL: "1m" },
  });
  using nodes = new ScriptedNodes({ port, count: options.nodes, workMs: [50, 150], random: random.fork() });
  const logs: ClientLog[] = [];
  const samples: Sample[] = [];
  const latenciesMs: number[][] = [];
  const over = new AbortController();
  try {
    for (let third = 0; third < 3; third++) {
      const log = new ClientLog();
      const endsAtMs = performance.now() + options.minutes * 20_000;
      const enough = (): boolean => performance.now() > endsAtMs;
      const clients = Promise.all(
        Array.from({ length: options.clients }, (_, index) =>
          new Client(server.url, `client-${index % 8}`, random.fork(), log, over.signal).run(enough),
        ),
      );
      while (!enough()) {
        const handles = readdirSync(`/proc/${server.pid}/fd`).length;
        samples.push({ residentMb: usageOf(server.pid).residentMb, handles });
        await setTimeout(SAMPLE_MS);
      }
      await clients;
      logs.push(log);
      latenciesMs.push(log.tasks.flatMap(({ ackAtMs, endAtMs }) => (endAtMs === null ? [] : [endAtMs - ackAtMs])));
      say(`${third + 1} of 3: ${log.tasks.length} tasks`);
    }
    const last = logs.at(-1) ?? new ClientLog();
    if (options.minutes <= 2) await checkHistory(server.url, last, 30_000);
    await endInOrder(server, { home, databaseUrl: database.url }, nodes, last);
    return result(options.minutes, logs, samples, latenciesMs);
  } finally {
    over.abort();
    await server.kill();
  }
}

function result(
  minutes: number,
  logs: readonly ClientLog[],
  samples: readonly Sample[],
  latenciesMs: readonly (readonly number[])[],
): TrialResult {
  const third = Math.floor(samples.length / 3);
  const median = (from: number, of: keyof Sample): number =>
    percentile(
      samples.slice(from, from + third).map((sample) => sample[of]),
      0.5,
    );
  const memoryGrowth = median(2 * third, "residentMb") / median(third, "residentMb") - 1;
  const handlesGrowth = median(2 * third, "handles") - median(third, "handles");
  const p99 = latenciesMs.map((each) => percentile(each, 0.99));
  const latencyGrowth = (p99[2] ?? Number.NaN) / (p99[1] ?? Number.NaN) - 1;
  const violations = logs.flatMap((log) => log.violations);
  // A short run says nothing of a slope.
  if (minutes >= 15) {
    if (!(memoryGrowth < MEMORY_GROWTH_MAX)) violations.push(`Memory grew by ${percent(memoryGrowth)}.`);
    if (!(latencyGrowth < LATENCY_GROWTH_MAX)) violations.push(`The time of a task grew by ${percent(latencyGrowth)}.`);
    if (!(handlesGrowth <= HANDLES_GROWTH_MAX)) violations.push(`${handlesGrowth} more handles are open.`);
  }
  return {
    figures: [
      { name: "minutes", value: minutes, bound: "" },
      { name: "tasks", value: logs.reduce((sum, log) => sum + log.tasks.length, 0), bound: "" },
      { name: "memory, MB", value: Math.round(median(2 * third, "residentMb")), bound: "" },
      { name: "memory, growth", value: percent(memoryGrowth), bound: `under ${percent(MEMORY_GROWTH_MAX)}` },
      { name: "handles, growth", value: handlesGrowth, bound: `at most ${HANDLES_GROWTH_MAX}` },
      { name: "time of a task, p99 ms", value: Math.round(p99[2] ?? Number.NaN), bound: "" },
      { name: "time of a task, growth", value: percent(latencyGrowth), bound: `under ${percent(LATENCY_GROWTH_MAX)}` },
    ],
    violations,
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
