import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { expectStatus } from "../support/callers.ts";
import type { Child } from "../support/child.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { startOurServer } from "../support/our-server.ts";
import { usageOf } from "../support/process-usage.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { Script } from "../support/script.ts";

/** Processes, and loopback addresses, that the nodes are spread over. */
const PROCESSES = 4;
/** How long the idle fleet is watched, in milliseconds: three rounds of pings and heartbeats. */
const WATCHED_MS = 30_000;

interface Fleet {
  readonly residentKb: number;
  readonly heldKb: number;
  readonly cpuShare: number;
  readonly joinSeconds: number;
}

/** Idle nodes, legacy ones and those of protocol 2: what each takes of the server's memory, and what their pings cost. */
export async function nodes({ nodes: count = 10_000, json, watchedMs = WATCHED_MS }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const fleets: Readonly<Record<string, Fleet>> = {
    "legacy nodes": await measureFleet(join(folder.path, "legacy"), 1, count, watchedMs),
    "protocol-2 nodes": await measureFleet(join(folder.path, "protocol-2"), 2, count, watchedMs),
  };
  report(
    machine,
    {
      bench: "nodes",
      load: { nodes: count, "watched ms": watchedMs },
      rows: Object.entries(fleets).map(([fleet, { residentKb, heldKb, cpuShare, joinSeconds }]) => ({
        fleet,
        "resident KB a node": rounded(residentKb),
        "heap KB a node": rounded(heldKb),
        "CPU when idle %": rounded(cpuShare * 100),
        "joined in s": rounded(joinSeconds),
      })),
      checks: Object.entries(fleets).map(([fleet, { residentKb }]) => ({
        what: `${fleet}, resident memory of each`,
        value: residentKb,
        unit: "KB",
        bound: { most: 30 },
      })),
    },
    json,
  );
}

async function measureFleet(home: string, protocol: 1 | 2, count: number, watchedMs: number): Promise<Fleet> {
  const server = await startOurServer({ home, databaseUrl: null, memoryReports: true });
  const scripts: Script[] = [];
  try {
    const before = await measureMemory(server);
    const startedAtMs = performance.now();
    const share = Math.ceil(count / PROCESSES);
    const script = import.meta.resolve("./idle-nodes-process.js");
    const starts = Array.from({ length: PROCESSES }, (_, n) => {
      const some = Math.max(0, Math.min(share, count - n * share));
      return Script.start(script, [server.port, protocol, some, n * share, `127.0.0.${n + 1}`]);
    });
    scripts.push(...(await Promise.all(starts)));
    await allOnline(server, count);
    const joinSeconds = (performance.now() - startedAtMs) / 1_000;
    const { cpuSeconds } = usageOf(server.pid);
    await setTimeout(watchedMs);
    const cpuShare = ((usageOf(server.pid).cpuSeconds - cpuSeconds) * 1_000) / watchedMs;
    await allOnline(server, count);
    const after = await measureMemory(server);
    return {
      residentKb: (after.residentKb - before.residentKb) / count,
      heldKb: (after.heldKb - before.heldKb) / count,
      cpuShare,
      joinSeconds,
    };
  } finally {
    await Promise.all(scripts.map((script) => script[Symbol.asyncDispose]()));
    await server.end();
  }
}

async function measureMemory(server: Child): Promise<{ readonly residentKb: number; readonly heldKb: number }> {
  const { heapUsed, external, rss } = await server.memory();
  return { residentKb: rss / 1_024, heldKb: (heapUsed + external) / 1_024 };
}

/** Every node is counted as online, and none was lost since. */
async function allOnline(server: Child, count: number): Promise<void> {
  const connection = await HttpConnection.open(server.port);
  try {
    for (let tries = 0; ; tries++) {
      const answer = await connection.ask("GET", "/v1/nodes/health/");
      const online = answer.status === 200 ? (expectStatus(answer, 200) as { availableNodesCount: number }) : null;
      if (online?.availableNodesCount === count) return;
      if (tries === 100) throw new Error(`${online?.availableNodesCount ?? 0} of ${count} nodes are online.`);
      await setTimeout(100);
    }
  } finally {
    connection.close();
  }
}
