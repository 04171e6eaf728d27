import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { Callers, expectStatus } from "../support/callers.ts";
import { startOurServer } from "../support/our-server.ts";
import { usageOf } from "../support/process-usage.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { Script } from "../support/script.ts";
import { V1_TASK_BODY } from "../support/v1-task.ts";

/** What finished tasks leave behind in the server's memory: what it holds after a collection, at equal steps of many tasks. */
export async function memory({ tasks = 60_000, json }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const server = await startOurServer({ home: folder.path, databaseUrl: null, memoryReports: true });
  try {
    await using _nodes = await Script.start(import.meta.resolve("../roundtrip/nodes-process.js"), [
      server.port,
      10,
      300,
    ]);
    using callers = await Callers.open(server.port, 64);
    const run = (count: number) =>
      callers.make(count, async (connection) => {
        const answer = expectStatus(await connection.ask("POST", "/v1/images/generation/", V1_TASK_BODY), 202);
        if ((answer as { ok: boolean }).ok !== true) throw new Error(`A task failed: ${JSON.stringify(answer)}`);
      });
    const step = Math.ceil(tasks / 6);
    // Code is compiled and caches are filled before anything is compared.
    await run(step);
    const rows: { tasks: number; heldMb: number; residentMb: number }[] = [];
    for (let done = step; ; done += step) {
      const { heapUsed, external } = await server.memory();
      rows.push({ tasks: done, heldMb: (heapUsed + external) / 2 ** 20, residentMb: usageOf(server.pid).residentMb });
      if (done >= tasks) break;
      await run(step);
    }
    const growthOf = (figure: "heldMb" | "residentMb") => {
      const first = rows[0]?.[figure] ?? NaN;
      const last = rows.at(-1)?.[figure] ?? NaN;
      return ((last - first) / ((rows.length - 1) * step)) * 10_000;
    };
    report(
      machine,
      {
        bench: "memory",
        load: { tasks },
        rows: rows.map((row) => ({
          tasks: row.tasks,
          "held MB": rounded(row.heldMb),
          "resident MB": rounded(row.residentMb),
          "resident growth MB for 10,000": rounded(growthOf("residentMb")),
        })),
        checks: [
          { what: "growth for 10,000 finished tasks", value: growthOf("heldMb"), unit: "MB", bound: { most: 1 } },
        ],
      },
      json,
    );
  } finally {
    await server.end();
  }
}
