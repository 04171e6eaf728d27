import { join } from "node:path";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { Callers, expectStatus } from "../support/callers.ts";
import { startOurServer } from "../support/our-server.ts";
import { usageOf } from "../support/process-usage.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { Script } from "../support/script.ts";
import { V1_TASK_BODY } from "../support/v1-task.ts";
import { fetchPicture } from "./fetch-picture.ts";

const PICTURE_BYTES = 5_000_000;
const IN_FLIGHT = 64;
const NODES = 10;

interface Throughput {
  readonly inMbPerSecond: number;
  readonly outMbPerSecond: number;
  readonly peakMb: number;
}

/** Large pictures on their way from nodes to the disk, by data URL and by upload, and from there to callers. */
export async function pictures({ tasks = 400, profile, json }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const ways: Readonly<Record<string, Throughput>> = {
    "legacy nodes, data URLs": await measure(join(folder.path, "legacy"), tasks, 1, 1, profile),
    "protocol-2 nodes, uploads": await measure(join(folder.path, "protocol-2"), tasks, 2, 8, profile),
  };
  report(
    machine,
    {
      bench: "pictures",
      load: { tasks, "picture bytes": PICTURE_BYTES, "in flight": IN_FLIGHT, nodes: NODES },
      rows: Object.entries(ways).map(([way, { inMbPerSecond, outMbPerSecond, peakMb }]) => ({
        way,
        "into the store MB/s": rounded(inMbPerSecond),
        "to callers MB/s": rounded(outMbPerSecond),
        "peak memory MB": rounded(peakMb),
      })),
      checks: Object.entries(ways).map(([way, { peakMb }]) => ({
        what: `${way}, peak memory`,
        value: peakMb,
        unit: "MB",
        bound: { most: 400 },
      })),
    },
    json,
  );
}

async function measure(
  home: string,
  tasks: number,
  protocol: 1 | 2,
  slots: number,
  profile: string | null,
): Promise<Throughput> {
  const server = await startOurServer({ home, databaseUrl: null, profile });
  try {
    const script = import.meta.resolve("./picture-nodes-process.js");
    await using _nodes = await Script.start(script, [server.port, protocol, NODES, slots, PICTURE_BYTES]);
    using callers = await Callers.open(server.port, IN_FLIGHT);
    const urls: string[] = [];
    const inSeconds = await secondsOf(() =>
      callers.make(tasks, async (connection) => {
        const answer = expectStatus(await connection.ask("POST", "/v1/images/generation/", V1_TASK_BODY), 202);
        const { result } = answer as { result?: { images: string[] } };
        const url = result?.images[0];
        if (url === undefined) throw new Error(`A task came back with ${JSON.stringify(answer)}`);
        urls.push(url);
      }),
    );
    const hashes = new Set<string>();
    const outSeconds = await secondsOf(() =>
      callers.make(tasks, async (_connection, n) => {
        hashes.add(await fetchPicture(urls[n] ?? "", PICTURE_BYTES));
      }),
    );
    if (hashes.size !== tasks) throw new Error(`${tasks} pictures came back as ${hashes.size}.`);
    const mb = (tasks * PICTURE_BYTES) / 1e6;
    const peakMb = usageOf(server.pid).residentPeakMb;
    return { inMbPerSecond: mb / inSeconds, outMbPerSecond: mb / outSeconds, peakMb };
  } finally {
    await server.end();
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return (performance.now() - startedAtMs) / 1_000;
}
