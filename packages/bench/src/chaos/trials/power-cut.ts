import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Random } from "@genai/protocol/conformance";
import { freePort } from "@genai/testing";
import { checkKept } from "../clients/check-history.ts";
import { Client } from "../clients/client.ts";
import { ClientLog } from "../clients/client-log.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { LoopDisk, whyNoLoopDisks } from "../processes/loop-disk.ts";
import { PostgresProcess } from "../processes/postgres-process.ts";
import { ServerProcess } from "../processes/server-process.ts";
import { storeFindings } from "../processes/store-check.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "cuts" | "clients" | "megabytes";

const FIRST_TASK_MS = 20_000;
/** What was answered before everything stood still may still be on its way to the clients. Milliseconds. */
const ANSWERS_MS = 200;

/** The power is cut under a server at work, and what its disk held is looked at. */
export const powerCut: Trial<Option> = {
  name: "power-cut",
  what: "after a power cut the store opens, is sound, and has every task and every end that a client was told of",
  options: {
    cuts: { default: 20, what: "power cuts, each of a new disk" },
    clients: { default: 16, what: "clients at once" },
    megabytes: { default: 768, what: "size of the disk" },
  },
  run,
};

async function run(context: TrialContext<Option>): Promise<TrialResult> {
  const skipped = whyNoLoopDisks();
  if (skipped !== null) return { figures: [], violations: [], skipped };
  const { options, random, say } = context;
  const violations: string[] = [];
  const seen = { clean: 0, acknowledged: 0, ended: 0 };
  for (let cut = 0; cut < options.cuts; cut++) {
    const log = new ClientLog();
    try {
      await cutOnce(context, cut, random.fork(), log);
    } catch (error) {
      log.violation(error instanceof Error ? error.message : String(error));
    }
    if (log.violations.length === 0) seen.clean += 1;
    for (const violation of log.violations) violations.push(`Cut ${cut}: ${violation}`);
    seen.acknowledged += log.tasks.length;
    seen.ended += log.tasks.filter(({ end }) => end !== null).length;
    say(`cut ${cut + 1}: ${log.tasks.length} tasks acknowledged, ${log.violations.length} violations`);
  }
  if (seen.acknowledged === 0) violations.push("No task was acknowledged before any cut.");
  return {
    figures: [
      { name: "power cuts", value: options.cuts, bound: "" },
      { name: "clean", value: seen.clean, bound: String(options.cuts) },
      { name: "tasks acknowledged before a cut", value: seen.acknowledged, bound: "" },
      { name: "of them seen ended", value: seen.ended, bound: "" },
    ],
    violations,
  };
}

async function cutOnce(
  { options, folder, store }: TrialContext<Option>,
  cut: number,
  random: Random,
  log: ClientLog,
): Promise<void> {
  using disk = LoopDisk.make(folder, `disk-${cut}`, options.megabytes);
  using after = await runUntilCut(disk, { options, store, folder, random, log });
  await using postgres =
    store === "postgres" ? await PostgresProcess.start(join(after.path, "postgres"), { existing: true }) : null;
  const home = join(after.path, "home");
  const databaseUrl = postgres === null ? null : postgres.url("chaos");
  for (const finding of await storeFindings(home, databaseUrl)) log.violation(`check: ${finding}`);
  const port = await freePort();
  const server = await ServerProcess.start({ home, port, databaseUrl, logFile: join(folder, "server.log") });
  try {
    await checkKept(server.url, log);
  } finally {
    await server.kill();
  }
}

/** A server with clients and nodes on a disk whose power goes. Returns the disk as it is found afterwards. */
async function runUntilCut(
  disk: LoopDisk,
  {
    options,
    store,
    folder,
    random,
    log,
  }: Pick<TrialContext<Option>, "options" | "store" | "folder"> & { readonly random: Random; readonly log: ClientLog },
): Promise<LoopDisk> {
  const port = await freePort();
  const home = join(disk.path, "home");
  const postgres =
    store === "postgres" ? await PostgresProcess.start(join(disk.path, "postgres"), { existing: false }) : null;
  const databaseUrl = postgres === null ? null : await postgres.createDatabase("chaos");
  const server = new ServerProcess({ home, port, databaseUrl, logFile: join(folder, "server.log") });
  using nodes = new ScriptedNodes({ port, count: 8, workMs: [5, 100], random: random.fork() });
  const over = new AbortController();
  let clients: readonly Promise<void>[] = [];
  try {
    server.start();
    await server.ready();
    const firstTask = nodes.nextTask(FIRST_TASK_MS);
    clients = Array.from({ length: options.clients }, (_, index) =>
      new Client(server.url, `client-${index % 4}`, random.fork(), log, over.signal).run(() => false),
    );
    await firstTask;
    await setTimeout(random.between(300, 2_500));
    server.freeze();
    await postgres?.signal("SIGSTOP");
    const after = disk.afterPowerCut();
    await setTimeout(ANSWERS_MS);
    for (const violation of nodes.violations) log.violation(violation);
    return after;
  } finally {
    over.abort();
    await server.kill();
    await postgres?.signal("SIGKILL");
    await Promise.all(clients);
  }
}
