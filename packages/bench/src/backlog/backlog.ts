import { join } from "node:path";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { Callers, expectStatus } from "../support/callers.ts";
import { fillStore } from "../support/fill-store.ts";
import { startOurServer } from "../support/our-server.ts";
import { percentile } from "../support/percentile.ts";
import { usageOf } from "../support/process-usage.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { V1_TASK_BODY } from "../support/v1-task.ts";
import { firstTasks } from "./first-tasks.ts";

/** Callers that submit at the same time. */
const IN_FLIGHT = 64;
/** Tasks that are taken from the backlog after each start. */
const TAKEN = 1_000;

/** A store in which a million tasks wait: how soon a server that starts on it gives out the first, what it holds, and what a
 *  submission costs beside one to an empty store. */
export async function backlog({ tasks = 1_000_000, rounds, json }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const full = join(folder.path, "full");
  const userIds = Array.from({ length: 100 }, (_, n) => `user-${n}`);
  const filledAtMs = performance.now();
  await fillStore(full, { tasks, userIds, state: "queued" });
  const fillSeconds = (performance.now() - filledAtMs) / 1_000;

  const few = join(folder.path, "few");
  await fillStore(few, { tasks: Math.min(tasks, 1_000), userIds, state: "queued" });

  const submissions = Math.min(4_000, Math.max(64, Math.ceil(tasks / 50)));
  const measured: { firstMs: number; fewFirstMs: number; fullRate: number; emptyRate: number; peakMb: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const { firstMs, peakMb } = await measureStart(full, tasks);
    const { firstMs: fewFirstMs } = await measureStart(few, 10);
    const [fullRate, fullPeakMb] = await measureSubmissions(full, submissions);
    const [emptyRate] = await measureSubmissions(join(folder.path, `empty-${round}`), submissions);
    measured.push({ firstMs, fewFirstMs, fullRate, emptyRate, peakMb: Math.max(peakMb, fullPeakMb) });
  }
  const median = (of: (round: (typeof measured)[number]) => number) => percentile(measured.map(of), 0.5);
  report(
    machine,
    {
      bench: "backlog",
      load: { tasks, rounds, "filled in s": rounded(fillSeconds) },
      rows: measured.map((round) => ({
        "start to first task ms": rounded(round.firstMs),
        "with 1,000 waiting ms": rounded(round.fewFirstMs),
        "submissions/s": rounded(round.fullRate),
        "into an empty store/s": rounded(round.emptyRate),
        "peak memory MB": rounded(round.peakMb),
      })),
      checks: [
        { what: "start to first task", value: median((round) => round.firstMs), unit: "ms", bound: { most: 2_000 } },
        {
          what: "peak memory",
          value: Math.max(...measured.map((round) => round.peakMb)),
          unit: "MB",
          bound: { most: 300 },
        },
        {
          what: "submissions into an empty store over those into the full one",
          value: median(({ emptyRate, fullRate }) => emptyRate / fullRate),
          unit: "times as many",
          bound: { most: 2 },
        },
      ],
    },
    json,
  );
}

/** From the start of the process to the first task that a node is sent, and the most that it holds while the node works. */
async function measureStart(
  home: string,
  tasks: number,
): Promise<{ readonly firstMs: number; readonly peakMb: number }> {
  const startedAtMs = performance.now();
  const server = await startOurServer({ home, databaseUrl: null });
  try {
    const { firstAtMs } = await firstTasks(server.port, Math.min(TAKEN, Math.ceil(tasks / 10)));
    return { firstMs: firstAtMs - startedAtMs, peakMb: usageOf(server.pid).residentPeakMb };
  } finally {
    await server.end();
  }
}

/** Submissions a second where nobody works, and the most that the server held. */
async function measureSubmissions(home: string, count: number): Promise<readonly [number, number]> {
  const server = await startOurServer({ home, databaseUrl: null });
  try {
    using callers = await Callers.open(server.port, IN_FLIGHT);
    const submit = (tasks: number) =>
      callers.make(tasks, async (connection) =>
        expectStatus(await connection.ask("POST", "/v1/tasks/", V1_TASK_BODY), 201),
      );
    await submit(Math.ceil(count / 2));
    const startedAtMs = performance.now();
    await submit(count);
    const seconds = (performance.now() - startedAtMs) / 1_000;
    return [count / seconds, usageOf(server.pid).residentPeakMb];
  } finally {
    await server.end();
  }
}
