import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openTaskStore } from "@genai/server/storage";
import { percentile } from "../../support/percentile.ts";
import { PostgresProcess } from "../processes/postgres-process.ts";
import { programOf } from "../processes/programs.ts";
import { storeFindings } from "../processes/store-check.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

type Option = "kills" | "starters";

/** A migration is killed again and again. */
export const migrations: Trial<Option> = {
  name: "migrations",
  what: "a migration that is killed leaves the old schema or the new one, never half of it, and starters wait for each other",
  options: {
    kills: { default: 20, what: "migrations that are killed, each of a new store" },
    starters: { default: 8, what: "migrations of one store at once, at the end" },
  },
  run,
};

async function run({ options, random, folder, store }: TrialContext<Option>): Promise<TrialResult> {
  await using postgres =
    store === "postgres" ? await PostgresProcess.start(join(folder, "postgres"), { existing: false }) : null;
  const target = async (name: string) => ({
    home: join(folder, name),
    databaseUrl: postgres === null ? null : await postgres.createDatabase(name.replaceAll("-", "_")),
  });
  const violations: string[] = [];
  // How long one takes here, so that the kills fall into it.
  const whole = await target("whole");
  const times = [];
  for (let round = 0; round < 3; round++) {
    const startedAtMs = performance.now();
    const code = await migrate(whole, null);
    if (code !== 0) violations.push(`A migration ended with ${code}.`);
    times.push(performance.now() - startedAtMs);
  }
  const usualMs = percentile(times, 0.5);
  let killed = 0;
  for (let kill = 0; kill < options.kills; kill++) {
    const each = await target(`store-${kill}`);
    if ((await migrate(each, random.between(0.3, 1.1) * usualMs)) === null) killed += 1;
    violations.push(...(await wholeAfterwards(each, `migration ${kill}`)));
  }
  const shared = await target("shared");
  const codes = await Promise.all(Array.from({ length: options.starters }, () => migrate(shared, null)));
  // On SQLite the folder is one process's at a time: the others say so and end.
  const made = codes.filter((code) => code === 0).length;
  if (made === 0 || (store === "postgres" && made < codes.length))
    violations.push(`${made} of ${codes.length} starters ended well.`);
  violations.push(...(await wholeAfterwards(shared, "many starters")));
  return {
    figures: [
      { name: "migrations killed", value: killed, bound: "" },
      { name: "ended before their kill", value: options.kills - killed, bound: "" },
      { name: "a migration's process, p50 ms", value: Math.round(usualMs), bound: "" },
      { name: "starters at once", value: options.starters, bound: "" },
      {
        name: "of them ended well",
        value: made,
        bound: store === "postgres" ? String(options.starters) : "at least 1",
      },
    ],
    violations,
  };
}

interface Target {
  readonly home: string;
  readonly databaseUrl: string | null;
}

/** Exit code, or null where it was killed after `killAfterMs`. */
async function migrate({ home, databaseUrl }: Target, killAfterMs: number | null): Promise<number | null> {
  const env = { PATH: process.env.PATH, GENAI_HOME: home, ...(databaseUrl !== null && { DATABASE_URL: databaseUrl }) };
  const child = spawn(process.execPath, [programOf("server"), "migrate"], { stdio: "ignore", env });
  const ended = once(child, "exit");
  if (killAfterMs !== null) {
    await Promise.race([ended, setTimeout(killAfterMs)]);
    child.kill("SIGKILL");
  }
  await ended;
  return child.exitCode;
}

/** What is left opens, is brought to its end, and is sound. */
async function wholeAfterwards(target: Target, what: string): Promise<readonly string[]> {
  try {
    const opened = await openTaskStore(target);
    await opened.ping();
    await opened.close();
  } catch (error) {
    return [`After ${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
  return (await storeFindings(target.home, target.databaseUrl)).map((finding) => `After ${what}: ${finding}`);
}
