import { writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { fsyncMs } from "./fsync-time.ts";

/** A number that is held against a bound. */
interface Check {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: { readonly most: number } | { readonly least: number };
}

/** What a bench found. */
export interface Findings {
  readonly bench: string;
  /** What was asked for. */
  readonly load: Readonly<Record<string, number | string>>;
  readonly rows: readonly Readonly<Record<string, number | string>>[];
  readonly checks: readonly Check[];
}

/** What everything was measured on; figures without it mean nothing. */
export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Median of keeping 4 KiB on the disk of the folder. */
  readonly fsyncMs: number;
  /** Of the last minute, before the bench: others' work. */
  readonly loadBefore: number;
}

/** Looks at the machine, its disk by a folder on it. */
export function machineOf(folder: string): Machine {
  const [cpu] = cpus();
  return {
    node: process.version,
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    fsyncMs: rounded(fsyncMs(folder)),
    loadBefore: rounded(loadavg()[0] ?? 0),
  };
}

/** Prints the findings as a table and a line for each check, and writes them as JSON where a file is named. */
export function report(machine: Machine, findings: Findings, jsonFile: string | null): void {
  const load = Object.entries(findings.load).map(([name, value]) => `${name} ${value}`);
  const { cpu, cores, memoryGb, node, fsyncMs: fsync, loadBefore } = machine;
  process.stdout.write(
    `${findings.bench}: ${load.join(", ")}\n${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; fdatasync of 4 KiB ${fsync} ms; load before ${loadBefore}\n`,
  );
  console.table(findings.rows);
  const checks = findings.checks.map((check) => ({ ...check, value: rounded(check.value), holds: holds(check) }));
  for (const { what, value, unit, bound, holds: good } of checks) {
    const wanted = "most" in bound ? `at most ${bound.most}` : `at least ${bound.least}`;
    process.stdout.write(`${good ? "holds" : "FALLS SHORT"}: ${what} ${value} ${unit} (${wanted})\n`);
  }
  if (jsonFile !== null) writeFileSync(jsonFile, `${JSON.stringify({ machine, ...findings, checks }, null, 2)}\n`);
}

/** Three digits are more than any of it is worth. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

function holds({ value, bound }: Check): boolean {
  return "most" in bound ? value <= bound.most : value >= bound.least;
}
