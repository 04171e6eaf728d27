import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { runTrial } from "./run-trial.ts";
import type { Trial } from "./trial.ts";
import { backlog } from "./trials/backlog.ts";
import { claims } from "./trials/claims.ts";
import { databaseOutage } from "./trials/database-outage.ts";
import { diskFull } from "./trials/disk-full.ts";
import { frameFuzz } from "./trials/frame-fuzz.ts";
import { lease } from "./trials/lease.ts";
import { migrations } from "./trials/migrations.ts";
import { nodeLife } from "./trials/node-life.ts";
import { outage } from "./trials/outage.ts";
import { powerCut } from "./trials/power-cut.ts";
import { scalerKill } from "./trials/scaler-kill.ts";
import { serverKill } from "./trials/server-kill.ts";
import { soak } from "./trials/soak.ts";
import { stall } from "./trials/stall.ts";
import { streams } from "./trials/streams.ts";

const TRIALS: readonly Trial[] = [
  serverKill,
  databaseOutage,
  diskFull,
  claims,
  migrations,
  scalerKill,
  powerCut,
  stall,
  soak,
  lease,
  nodeLife,
  outage,
  backlog,
  streams,
  frameFuzz,
];

/** What was asked for, or null where it cannot be read, which is said. */
function argumentsOf(args: readonly string[]) {
  const text = { type: "string" } as const;
  const names = TRIALS.flatMap((trial) => Object.keys(trial.options));
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", default: false },
        seed: text,
        store: { type: "string", default: "sqlite" },
        json: text,
        ...Object.fromEntries(names.map((name) => [name, text])),
      },
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage()}`);
    return null;
  }
}

/** `npm run chaos -- <name> [--seed N] [--store sqlite|postgres] [--json FILE] [--<option> N …]`: runs a trial, prints its figures
 *  as a table and as JSON, and ends with 1 where something was violated. */
async function main(args: readonly string[]): Promise<number> {
  const parsed = argumentsOf(args);
  if (parsed === null) return 2;
  const { help, ...values } = parsed.values;
  const { positionals } = parsed;
  if (help) {
    process.stdout.write(usage());
    return 0;
  }
  const trial = TRIALS.find(({ name }) => name === positionals[0]);
  if (trial === undefined || (values.store !== "sqlite" && values.store !== "postgres")) {
    process.stderr.write(usage());
    return 2;
  }
  const given = values as Readonly<Record<string, string | undefined>>;
  const options: Record<string, number> = {};
  for (const name of Object.keys(trial.options)) {
    if (given[name] !== undefined) options[name] = numberOf(name, given[name]);
  }
  const seed = values.seed === undefined ? undefined : numberOf("seed", values.seed);
  const startedAtMs = performance.now();
  const result = await runTrial(trial, {
    options,
    store: values.store,
    ...(seed !== undefined && { seed }),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
  const report = { trial: trial.name, seconds, ...result };
  if (result.skipped !== undefined) process.stdout.write(`Skipped: ${result.skipped}\n`);
  if (result.figures.length > 0)
    console.table(Object.fromEntries(result.figures.map(({ name, value, bound }) => [name, { value, bound }])));
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  for (const violation of result.violations) process.stdout.write(`VIOLATED: ${violation}\n`);
  process.stdout.write(`${trial.name}: ${result.violations.length} violations, seed ${result.seed}, ${seconds} s\n`);
  return result.violations.length === 0 ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number < 0) throw new Error(`--${name} wants a number from 0 on, not ${text}.`);
  return number;
}

function usage(): string {
  const lines = TRIALS.map(({ name, what, options }) => {
    const own = (Object.entries(options) as [string, { readonly default: number; readonly what: string }][]).map(
      ([option, { default: standing, what: meaning }]) => `      --${option} ${standing}: ${meaning}`,
    );
    return [`  ${name}: ${what}`, ...own].join("\n");
  });
  return `npm run chaos -- <name> [--seed N] [--store sqlite|postgres] [--json FILE]\n${lines.join("\n")}\n`;
}

// Not by `exitCode`: the PostgreSQL of the trials hooks the process's end, and makes it a 0 where nobody ends it before.
process.exit(await main(process.argv.slice(2)));
