import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, until } from "@genai/testing";
import { type Answer, ask } from "../clients/ask.ts";
import { checkHistory } from "../clients/check-history.ts";
import { ClientLog } from "../clients/client-log.ts";
import { readTask, taskIn } from "../clients/task-view.ts";
import { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import { endInOrder } from "../processes/end-in-order.ts";
import { ServerProcess } from "../processes/server-process.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** A write is refused, readiness falls and all is back within these, in milliseconds. */
const REFUSED_MS_MAX = 2_000;
const RED_MS_MAX = 5_000;
const BACK_MS_MAX = 5_000;
const TOKEN = "disk";

/** The server's files can grow no more for a while. */
export const diskFull: Trial<"rounds"> = {
  name: "disk-full",
  onlyStore: "sqlite",
  what: "while nothing more can be written writes are 503 in time, reads and nodes go on, and all is back by itself",
  options: { rounds: { default: 10, what: "times that the disk is full" } },
  run,
};

async function run({ options, folder, random }: TrialContext<"rounds">): Promise<TrialResult> {
  const port = await freePort();
  const home = join(folder, "home");
  const server = await ServerProcess.start({ home, port, databaseUrl: null, logFile: join(folder, "server.log") });
  using nodes = new ScriptedNodes({ port, count: 4, workMs: [5, 20], random: random.fork() });
  const log = new ClientLog();
  const worst = { refusedMs: 0, redMs: 0, backMs: 0, kept: 0 };
  try {
    await until("all nodes are there", () => nodes.onlineCount === nodes.size);
    for (let round = 0; round < options.rounds; round++) {
      const kept = await submit(server.url, log);
      if (kept?.status !== 201) log.violation(`A write to a good disk was answered with ${kept?.status}.`);
      // No file may become larger than the store's log is now.
      setFileLimit(server.pid, String(statSync(join(home, "tasks.db-wal")).size));
      const fullAtMs = performance.now();
      let refused = await submit(server.url, log);
      // There may be room for some in the middle of the log.
      for (let tries = 0; refused?.status === 201 && tries < 100; tries++) refused = await submit(server.url, log);
      if (refused?.status !== 503) log.violation(`A write to a full disk was answered with ${refused?.status}.`);
      if (refused?.headers.has("retry-after") !== true) log.violation("A 503 came without Retry-After.");
      worst.refusedMs = Math.max(worst.refusedMs, refused?.afterMs ?? Number.POSITIVE_INFINITY);
      worst.redMs = Math.max(worst.redMs, await untilStatus(`${server.url}/readyz`, 503, fullAtMs));
      for (const task of log.tasks) {
        if (taskIn(await readTask(server.url, task.taskId, TOKEN, 0)) === null) log.violation("A read failed.");
        else worst.kept += 1;
      }
      if (nodes.onlineCount < nodes.size) log.violation(`${nodes.size - nodes.onlineCount} nodes lost their socket.`);
      setFileLimit(server.pid, "unlimited");
      const backAtMs = performance.now();
      await untilStatus(`${server.url}/readyz`, 200, backAtMs);
      let answer = await submit(server.url, log);
      while (answer?.status !== 201 && performance.now() - backAtMs < 2 * BACK_MS_MAX) {
        await setTimeout(50);
        answer = await submit(server.url, log);
      }
      worst.backMs = Math.max(worst.backMs, performance.now() - backAtMs);
    }
    const ends = await checkHistory(server.url, log, 60_000);
    await endInOrder(server, { home, databaseUrl: null }, nodes, log);
    return result(log, ends, worst, options.rounds);
  } finally {
    await server.kill();
  }
}

function result(
  log: ClientLog,
  ends: Readonly<Record<string, number>>,
  worst: { readonly refusedMs: number; readonly redMs: number; readonly backMs: number; readonly kept: number },
  rounds: number,
): TrialResult {
  const bounded = [
    ["slowest refusal, ms", worst.refusedMs, REFUSED_MS_MAX],
    ["/readyz red after, ms", worst.redMs, RED_MS_MAX],
    ["writable again after, ms", worst.backMs, BACK_MS_MAX],
  ] as const;
  for (const [name, value, most] of bounded) {
    if (!(value <= most)) log.violation(`${name}: ${Math.round(value)}, more than ${most}.`);
  }
  return {
    figures: [
      { name: "times full", value: rounds, bound: "" },
      { name: "tasks acknowledged", value: log.tasks.length, bound: "" },
      { name: "ended succeeded", value: ends.succeeded ?? 0, bound: String(log.tasks.length) },
      { name: "reads while full", value: worst.kept, bound: "" },
      ...bounded.map(([name, value, most]) => ({ name, value: Math.round(value), bound: `at most ${most}` })),
    ],
    violations: log.violations,
  };
}

function setFileLimit(pid: number, bytes: string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:unlimited`], { stdio: "pipe" });
}

/** Milliseconds since `fromMs` until the URL answers with this status; infinite where it does not in time. */
async function untilStatus(url: string, status: number, fromMs: number): Promise<number> {
  while (performance.now() - fromMs < 2 * RED_MS_MAX) {
    if ((await ask(url))?.status === status) return performance.now() - fromMs;
    await setTimeout(50);
  }
  return Number.POSITIVE_INFINITY;
}

async function submit(base: string, log: ClientLog): Promise<Answer | null> {
  const pipeline = { type: "standard", prompt: "x".repeat(9_000), width: 64, height: 64, steps: 2 };
  const headers = { authorization: `Bearer ${TOKEN}`, "idempotency-key": randomUUID() };
  const answer = await ask(`${base}/v2/tasks`, { method: "POST", headers, json: { pipeline } });
  const view = taskIn(answer);
  if (view !== null) log.acknowledged(view.id, TOKEN);
  return answer;
}
