import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { fsyncMs } from "../support/fsync-time.ts";
import { startOurServer } from "../support/our-server.ts";
import { percentile } from "../support/percentile.ts";
import { startPostgres } from "../support/postgres.ts";
import { type Load, measureRoundTrip, type RoundTrip } from "./measure.ts";

type Started = { readonly server: Child; end(): Promise<void> };

/** Tasks a second over HTTP, store and WebSocket, beside the same way without a store and without a thought. Each system is
 *  measured `rounds` times, in turn, and its median counts: the machine is not ours alone. */
export async function roundtrip(options: {
  readonly tasks: number;
  readonly rounds: number;
  /** Only systems whose name holds this text. */
  readonly only: string;
  /** Folder for CPU profiles of our server, or null. */
  readonly profile: string | null;
}): Promise<void> {
  const load: Load = { tasks: options.tasks, inFlight: 64, nodes: 10, resultBytes: 300 };
  const folder = await mkdtemp(join(tmpdir(), "genai-bench-"));
  const postgres = "ours on PostgreSQL".includes(options.only) ? await startPostgres() : null;
  const systems: Record<string, (name: string) => Promise<Started>> = {
    "bare relay": (name) => startRelay("bare", join(folder, name)),
    "relay, one SQLite commit a turn": (name) => startRelay("sqlite", join(folder, name)),
    "ours on SQLite": (name) => startOurs(join(folder, name), null, options.profile),
    ...(postgres && {
      "ours on PostgreSQL": async (name) => startOurs(join(folder, name), await postgres.database(), options.profile),
    }),
  };
  try {
    process.stdout.write(
      `${load.tasks} tasks, ${load.inFlight} in flight, ${load.nodes} nodes, ${load.resultBytes}-byte results; fdatasync of 4 KiB here: ${fsyncMs(folder).toFixed(2)} ms\n`,
    );
    const results = new Map<string, RoundTrip[]>();
    for (let round = 0; round < options.rounds; round++) {
      for (const [name, start] of Object.entries(systems)) {
        if (!name.includes(options.only)) continue;
        const { server, end } = await start(`${round}-${name.replaceAll(/\W/g, "-")}`);
        results.set(name, [...(results.get(name) ?? []), await measureRoundTrip(server, load)]);
        await end();
      }
    }
    report(results);
  } finally {
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startRelay(mode: "bare" | "sqlite", file: string): Promise<Started> {
  const port = await freePort();
  const script = fileURLToPath(new URL("./relay.js", import.meta.url));
  const server = await Child.start(script, [String(port), mode, file], { port });
  return { server, end: () => server.end() };
}

async function startOurs(home: string, databaseUrl: string | null, profile: string | null): Promise<Started> {
  const nodeArgs = profile === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const server = await startOurServer({ home, databaseUrl, nodeArgs });
  return { server, end: () => server.end() };
}

function report(results: ReadonlyMap<string, readonly RoundTrip[]>): void {
  const medians = [...results].map(([name, rounds]) => {
    const median = (of: keyof RoundTrip) =>
      percentile(
        rounds.map((round) => round[of]),
        0.5,
      );
    return {
      system: name,
      "tasks/s": Math.round(median("tasksPerSecond")),
      "p50 ms": Number(median("p50Ms").toFixed(1)),
      "p99 ms": Number(median("p99Ms").toFixed(1)),
      "CPU ms/1000": Math.round(median("cpuMsPerThousand")),
      "main thread": Math.round(median("mainThreadMsPerThousand")),
      "memory MB": Math.round(median("residentMb")),
    };
  });
  console.table(medians);
  const rateOf = (part: string) => medians.find(({ system }) => system.startsWith(part))?.["tasks/s"] ?? Number.NaN;
  const ratio = (ours: string, theirs: string) => (rateOf(ours) / rateOf(theirs)).toFixed(2);
  process.stdout.write(
    `ours on SQLite: ${ratio("ours on SQLite", "bare")} of the bare relay (at least 0.70), ${ratio("ours on SQLite", "relay,")} of the relay with SQLite (at least 0.80)\n`,
  );
  if (rateOf("ours on PostgreSQL")) {
    process.stdout.write(
      `ours on PostgreSQL: ${ratio("ours on PostgreSQL", "bare")} of the bare relay (at least 0.40)\n`,
    );
  }
}
