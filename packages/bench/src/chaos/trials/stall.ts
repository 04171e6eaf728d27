import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "@genai/testing";
import { ask } from "../clients/ask.ts";
import { checkHistory } from "../clients/check-history.ts";
import { ClientLog } from "../clients/client-log.ts";
import { taskIn } from "../clients/task-view.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { endInOrder } from "../processes/end-in-order.ts";
import { ServerProcess } from "../processes/server-process.ts";
import { databaseFor } from "../processes/trial-database.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "seconds" | "nodes";

/** What runs goes on for so long after the stall, so that whatever would be taken for lost is, in milliseconds. */
const AFTER_MS = 45_000;

/** The server stands still while its nodes work. */
export const stall: Trial<Option> = {
  name: "stall",
  what: "a server that stood still takes no work from a healthy node when it goes on",
  options: {
    seconds: { default: 0, what: "how long it stands still; 0: 20, then 60" },
    nodes: { default: 20, what: "nodes, half of each protocol, each with one task" },
  },
  run,
};

async function run(context: TrialContext<Option>): Promise<TrialResult> {
  const { options, folder, random, say } = context;
  await using database = await databaseFor(context);
  const figures = [];
  const violations: string[] = [];
  for (const seconds of options.seconds > 0 ? [options.seconds] : [20, 60]) {
    const port = await freePort();
    const home = join(folder, `home-${seconds}`);
    const server = await ServerProcess.start({
      home,
      port,
      databaseUrl: database.url,
      logFile: join(folder, "server.log"),
    });
    const workMs = seconds * 1_000 + AFTER_MS;
    using nodes = new ScriptedNodes({
      port,
      count: options.nodes,
      workMs: [workMs, workMs + 5_000],
      random: random.fork(),
    });
    const log = new ClientLog();
    try {
      for (let task = 0; task < options.nodes; task++) await submit(server.url, log);
      while (nodes.deliveries < options.nodes) await setTimeout(20);
      say(`standing still for ${seconds} s`);
      server.freeze();
      await setTimeout(seconds * 1_000);
      server.goOn();
      const ends = await checkHistory(server.url, log, workMs + 30_000);
      const again = nodes.deliveries - options.nodes;
      figures.push(
        { name: `${seconds} s: tasks that ran`, value: options.nodes, bound: "" },
        { name: `${seconds} s: succeeded`, value: ends.succeeded ?? 0, bound: String(options.nodes) },
        { name: `${seconds} s: sent again`, value: again, bound: "0" },
      );
      if (again > 0) violations.push(`${again} tasks were sent again after a stall of ${seconds} s.`);
      await endInOrder(server, { home, databaseUrl: database.url }, nodes, log);
      violations.push(...log.violations);
    } finally {
      await server.kill();
    }
  }
  return { figures, violations };
}

async function submit(base: string, log: ClientLog): Promise<void> {
  const json = { pipeline: { type: "standard", prompt: "slow", width: 1_024, height: 1_024, steps: 100 } };
  const headers = { authorization: "Bearer stall", "idempotency-key": randomUUID() };
  const view = taskIn(await ask(`${base}/v2/tasks`, { method: "POST", headers, json }));
  if (view === null) throw new Error("A task was not taken.");
  log.acknowledged(view.id, "stall");
}
