import { fork } from "node:child_process";
import { join } from "node:path";
import { openTaskStore } from "@genai/server/storage";
import pg from "pg";
import { percentile } from "../../support/percentile.ts";
import { Claimed } from "../claims/claimed.ts";
import { waitingTasks } from "../claims/waiting-tasks.ts";
import { storeFindings } from "../processes/store-check.ts";
import { databaseFor } from "../processes/trial-database.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "tasks" | "claimers" | "processes" | "limitMax" | "odd";

/** Tasks of one commit while the store is filled. */
const FILL = 1_000;
/** Claims a second of one task each, and how long one may take at most, p99, in milliseconds. */
const CLAIMS_PER_SECOND_MIN = 1_000;
const CLAIM_MS_MAX = 50;
/** Ways for PostgreSQL to go about a statement that are switched off, so that it has to take odd ones. */
const PLANS = ["enable_hashjoin", "enable_mergejoin", "enable_sort", "enable_indexscan", "enable_bitmapscan"];

/** Many claimers empty a store at once. */
export const claims: Trial<Option> = {
  name: "claims",
  what: "claimers at once take no task twice, leave none, and never get more than they asked for, whatever plan is chosen",
  options: {
    tasks: { default: 100_000, what: "tasks that wait" },
    claimers: { default: 64, what: "claimers at once, in all processes" },
    processes: { default: 2, what: "processes (PostgreSQL; SQLite has one)" },
    limitMax: { default: 1, what: "most tasks of one claim" },
    odd: { default: 0, what: "1: with PostgreSQL's usual plans switched off" },
  },
  run,
};

async function run(context: TrialContext<Option>): Promise<TrialResult> {
  const { options, folder, say } = context;
  await using database = await databaseFor(context);
  const home = (index: number): string => join(folder, `home-${index}`);
  const store = await openTaskStore({ databaseUrl: database.url, home: home(0) });
  for (let from = 0; from < options.tasks; from += FILL) {
    await store.commit(waitingTasks(from, Math.min(FILL, options.tasks - from), 20));
  }
  await store.close();
  if (options.odd > 0 && database.url !== null) await switchPlansOff(database.url);
  say(`${options.tasks} tasks wait`);
  const processes = database.url === null ? 1 : options.processes;
  const startedAtMs = performance.now();
  const found = await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      claimed({
        databaseUrl: database.url,
        home: home(index),
        claimers: Math.ceil(options.claimers / processes),
        limitMax: options.limitMax,
      }),
    ),
  );
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const taskIds = found.flatMap((each) => each.taskIds);
  const doubles = taskIds.length - new Set(taskIds).size;
  const over = found.reduce((sum, each) => sum + each.over, 0);
  const latencies = found.flatMap((each) => each.latenciesMs);
  const rate = Math.round(latencies.length / seconds);
  const p99 = percentile(latencies, 0.99);
  const violations = [...(await storeFindings(home(0), database.url)).map((finding) => `check: ${finding}`)];
  if (doubles > 0) violations.push(`${doubles} tasks were claimed twice.`);
  if (taskIds.length - doubles !== options.tasks) violations.push(`${options.tasks - taskIds.length} tasks are left.`);
  if (over > 0) violations.push(`${over} claims gave more than they asked for.`);
  return {
    figures: [
      { name: "claimers", value: options.claimers, bound: "" },
      { name: "processes", value: processes, bound: "" },
      { name: "tasks claimed", value: taskIds.length, bound: String(options.tasks) },
      { name: "claimed twice", value: doubles, bound: "0" },
      { name: "claims with too many", value: over, bound: "0" },
      { name: "claims a second", value: rate, bound: options.odd > 0 ? "" : `at least ${CLAIMS_PER_SECOND_MIN}` },
      { name: "claim, p50 ms", value: Number(percentile(latencies, 0.5).toFixed(1)), bound: "" },
      { name: "claim, p99 ms", value: Number(p99.toFixed(1)), bound: options.odd > 0 ? "" : `at most ${CLAIM_MS_MAX}` },
    ],
    violations,
  };
}

function claimed(order: Readonly<Record<string, unknown>>): Promise<Claimed> {
  const claimers = fork(new URL("../claims/claimers-process.js", import.meta.url), [JSON.stringify(order)]);
  return new Promise((resolve, reject) => {
    claimers.once("message", (found) => resolve(Claimed.parse(found)));
    // Not "exit", which may come before what was sent last.
    claimers.once("disconnect", () => reject(new Error("The claimers ended and found nothing.")));
  });
}

async function switchPlansOff(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (const plan of PLANS) await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET ${plan} = off`);
  } finally {
    await client.end();
  }
}
