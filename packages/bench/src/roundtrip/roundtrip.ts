import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@genai/testing";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { Child } from "../support/child.ts";
import { hs256Token } from "../support/hs256-token.ts";
import { startOurServer } from "../support/our-server.ts";
import { percentile } from "../support/percentile.ts";
import { startPostgres } from "../support/postgres.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { type Load, MeasuredServer, type RoundTrip } from "./measured-server.ts";

const BARE = "bare relay";
const COMMITTING = "relay, one SQLite commit a turn";
const OURS = "ours on SQLite";
const OURS_GUARDED = "ours on SQLite, authentication and limits on";
const OURS_POSTGRES = "ours on PostgreSQL";
/** As the relays, which send a node whatever there is: 64 tasks to 10 nodes. Without it a legacy node has one at a time. */
const NODE_SLOTS = 8;
const OURS_SLOTS = `ours on SQLite, ${NODE_SLOTS} tasks per node`;
const OURS_POSTGRES_SLOTS = `ours on PostgreSQL, ${NODE_SLOTS} tasks per node`;

/** Signs the callers' token in the guarded server. */
const JWT_SECRET = "the secret of the bench that is of no use anywhere else";

/** Each task's token is verified, and each counts to the limits of its user, which are never reached. */
const GUARDED = {
  ENFORCE_JWT_AUTH: "true",
  JWT_SECRET,
  RATE_LIMIT: "1000000",
  READ_RATE_LIMIT: "1000000",
};

const SLOTS = { LEGACY_NODE_SLOTS: String(NODE_SLOTS) };

/** Tasks before the measurement begins. Watched second by second, a server is at a third of its speed in the first one and at all of it
 *  after 5,000 to 7,000 tasks, when V8's compiler has come to rest. */
const WARM_UP_TASKS = 8_000;

/** Tasks that a system is measured with before it is another's turn: a second or two. The speed of a virtual machine changes by a half
 *  within some seconds, and so each has its share of every speed. */
const SLICE_TASKS = 2_000;

/** Tasks a second over HTTP, store and WebSocket, beside the same way without a store and without a thought. In each round all systems run,
 *  as new processes, and are measured in turn; ratios are taken inside of a round, and their median counts. */
export async function roundtrip({ tasks = 20_000, rounds, only, profile, json }: BenchOptions): Promise<void> {
  const load: Load = { tasks, inFlight: 64, nodes: 10, resultBytes: 300 };
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const wantsPostgres = [OURS_POSTGRES, OURS_POSTGRES_SLOTS].some((name) => name.includes(only));
  const postgres = wantsPostgres ? await startPostgres() : null;
  const systems: Record<string, (home: string) => Promise<Child>> = {
    [BARE]: (home) => startRelay("bare", home),
    [COMMITTING]: (home) => startRelay("sqlite", home),
    [OURS_SLOTS]: (home) => startOurServer({ home, databaseUrl: null, profile, env: SLOTS }),
    [OURS]: (home) => startOurServer({ home, databaseUrl: null, profile }),
    [OURS_GUARDED]: (home) => startOurServer({ home, databaseUrl: null, profile, env: GUARDED }),
    ...(postgres && {
      [OURS_POSTGRES_SLOTS]: async (home) =>
        startOurServer({ home, databaseUrl: await postgres.database(), profile, env: SLOTS }),
      [OURS_POSTGRES]: async (home) => startOurServer({ home, databaseUrl: await postgres.database(), profile }),
    }),
  };
  const names = Object.keys(systems).filter((name) => name.includes(only));
  const results: ReadonlyMap<string, RoundTrip>[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const measured = new Map<string, MeasuredServer>();
      try {
        for (const name of names) {
          const server = await systems[name]?.(join(folder.path, `${round}-${name.replaceAll(/\W/g, "-")}`));
          if (server === undefined) continue;
          const token = name === OURS_GUARDED ? hs256Token("bench", JWT_SECRET) : "bench";
          const running = await MeasuredServer.start(server, load, token);
          measured.set(name, running);
          await running.warmUp(Math.min(WARM_UP_TASKS, tasks));
        }
        const inTurn = [...measured.values()];
        for (let left = tasks; left > 0; left -= SLICE_TASKS) {
          for (const server of inTurn) await server.slice(Math.min(SLICE_TASKS, left));
          // There and back: what a database still writes behind its slice falls on its own next one.
          inTurn.reverse();
        }
        results.push(new Map([...measured].map(([name, server]) => [name, server.roundTrip()])));
      } finally {
        for (const server of measured.values()) await server[Symbol.asyncDispose]();
      }
    }
  } finally {
    await postgres?.stop();
  }
  const ratio = (ours: string, theirs: string) =>
    median(
      results.map((round) => (round.get(ours)?.tasksPerSecond ?? NaN) / (round.get(theirs)?.tasksPerSecond ?? NaN)),
    );
  const wanted = [
    { ours: OURS_SLOTS, theirs: BARE, least: 0.7 },
    { ours: OURS_SLOTS, theirs: COMMITTING, least: 0.8 },
    { ours: OURS_POSTGRES_SLOTS, theirs: BARE, least: 0.4 },
    { ours: OURS, theirs: BARE, least: 0.7 },
    { ours: OURS, theirs: COMMITTING, least: 0.8 },
    { ours: OURS_POSTGRES, theirs: BARE, least: 0.4 },
    { ours: OURS_GUARDED, theirs: OURS, least: 0.9 },
  ].filter(({ ours, theirs }) => names.includes(ours) && names.includes(theirs));
  report(
    machine,
    {
      bench: "roundtrip",
      load: { ...load, rounds },
      rows: names.map((name) => rowOf(name, results)),
      checks: wanted.map(({ ours, theirs, least }) => ({
        what: `${ours} : ${theirs}`,
        value: ratio(ours, theirs),
        unit: "times the tasks a second",
        bound: { least },
      })),
    },
    json,
  );
}

async function startRelay(mode: "bare" | "sqlite", file: string): Promise<Child> {
  const port = await freePort();
  const script = fileURLToPath(new URL("./relay.js", import.meta.url));
  return Child.start(script, [String(port), mode, file], { port });
}

function rowOf(name: string, results: readonly ReadonlyMap<string, RoundTrip>[]) {
  const of = (figure: keyof RoundTrip) => rounded(median(results.map((round) => round.get(name)?.[figure] ?? NaN)));
  return {
    system: name,
    "tasks/s": of("tasksPerSecond"),
    "p50 ms": of("p50Ms"),
    "p99 ms": of("p99Ms"),
    // Microseconds for one are milliseconds for a thousand.
    "CPU ms for 1,000": of("cpuUs"),
    "main thread ms": of("mainThreadUs"),
    "memory MB": of("residentMb"),
  };
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
