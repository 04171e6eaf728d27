import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@genai/protocol/conformance";
import { percentile } from "../../support/percentile.ts";
import { Fleet, type FleetOptions } from "./fleet.ts";
import { type LedgerTask, readLedger } from "./ledger.ts";
import { Nemesis } from "./nemesis.ts";
import { judge } from "./verdict.ts";

/** After the faults are over everything has to end within this, in milliseconds: an attempt whose node forgot it waits for one lease. */
const PEACE_MS_MAX = 90_000;
/** Tasks under way at once: fewer than the slots that are left when one node is dead, so that a slot is free for what was lost. */
const UNDER_WAY = 6;
/** How often one of the legacy nodes loses power, in milliseconds. */
const LEGACY_CRASH_MS = 7_000;
/** A lost task is to be given to another node within this, in milliseconds, 95 times of 100. */
const REDISPATCH_MS_P95 = 5_000;

export interface FaultyFleetOptions {
  /** Stands before every line that is printed. */
  readonly name: string;
  readonly seed: number;
  readonly tasks: number;
  readonly fleet: FleetOptions;
  /** How long the nemesis rests between two faults, on average, in milliseconds. Default 1 500. */
  readonly pauseMs?: number | undefined;
  /** Whether the server is killed too. */
  readonly serverToo: boolean;
  /** Longest black hole, in milliseconds. Default 27 000: longer than the silence that ends a socket. */
  readonly blackHoleMsMax?: number | undefined;
}

/** Gives tasks to a fleet while a nemesis harms it. Throws where a task does not end, an acknowledged task or a result on a node's disk is
 *  lost, or a task ends twice. */
export async function runFaultyFleet(options: FaultyFleetOptions): Promise<void> {
  const { name, seed, tasks, serverToo, pauseMs = 1_500, blackHoleMsMax = 27_000 } = options;
  console.info(`${name}: ${tasks} tasks, seed ${seed}`);
  const random = new Random(seed);
  await using fleet = await Fleet.start(options.fleet);
  const startMs = performance.now();
  const nemesis = new Nemesis(fleet, random, { pauseMs, serverToo, blackHoleMsMax });
  const submitted: string[] = [];
  const crashes = setInterval(() => crashOne(fleet, random), LEGACY_CRASH_MS);
  try {
    await submitAll(fleet, tasks, submitted);
  } finally {
    clearInterval(crashes);
    await nemesis.stop();
  }
  const healedMs = performance.now();
  await untilPeace(fleet, PEACE_MS_MAX);
  const endMs = performance.now();

  const ledger = readLedger(join(fleet.folder, "server"));
  const verdict = judge(fleet, submitted, ledger);
  const delays = redispatchDelays(ledger, nemesis);
  const p95 = delays.length === 0 ? 0 : percentile(delays, 0.95);
  console.info(`${name}: faults ${JSON.stringify(nemesis.counts)}`);
  console.info(
    `${name}: ${verdict.ended} of ${tasks} tasks ended, ${verdict.succeeded} succeeded, ${verdict.attempts} attempts ` +
      `(${(verdict.attempts / tasks).toFixed(2)} a task), ${verdict.twice} ended twice`,
  );
  console.info(
    `${name}: ${verdict.onDisk} results reached a disk: ${verdict.accepted} accepted, ${verdict.superseded} superseded by an earlier result, ` +
      `${verdict.onDisk - verdict.accepted - verdict.superseded} lost`,
  );
  if (delays.length > 0) {
    console.info(
      `${name}: work of a killed node given out again after ${seconds(percentile(delays, 0.5))} (median), ${seconds(p95)} (p95), ` +
        `${seconds(Math.max(...delays))} (most) of ${delays.length}`,
    );
  }
  console.info(
    `${name}: ${seconds(healedMs - startMs)} of faults, everything ended ${seconds(endMs - healedMs)} after`,
  );
  const broken = [...verdict.violations];
  if (verdict.ended !== tasks) broken.push(`${tasks - verdict.ended} tasks have not ended`);
  if (p95 > REDISPATCH_MS_P95) broken.push(`the p95 of re-dispatch is ${seconds(p95)}`);
  if (broken.length > 0) throw new Error(`${name}, seed ${seed}:\n  ${broken.slice(0, 30).join("\n  ")}`);
}

/** Posts tasks with a few under way at a time, until all are acknowledged. */
async function submitAll(fleet: Fleet, count: number, submitted: string[]): Promise<void> {
  const poster = async (lane: number): Promise<void> => {
    for (let i = lane; i < count; i += UNDER_WAY) {
      const pipeline = { type: "standard", prompt: `picture ${i}`, width: 64, height: 64, steps: 4, seed: i };
      const taskId = await fleet.api.submit(pipeline, `key-${i}`);
      submitted.push(taskId);
      await fleet.api.settled(taskId);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, (_, lane) => poster(lane)));
}

/** Resolves when every node has handed over what it keeps. */
async function untilPeace(fleet: Fleet, withinMs: number): Promise<void> {
  const givenUpAtMs = performance.now() + withinMs;
  while (performance.now() < givenUpAtMs) {
    if (fleet.nodes.every((node) => node.undelivered() === 0)) return;
    await sleep(200);
  }
}

/** For each attempt that a kill -9 of its node ended: how long after the kill its task was given out again. Time in which there was no
 *  server does not count, nor do attempts whose result was on the disk and came back. */
function redispatchDelays(ledger: readonly LedgerTask[], { nodeKills, serverUps }: Nemesis): readonly number[] {
  return nodeKills.flatMap(({ nodeId, atMs }) =>
    ledger.flatMap(({ attempts }) => {
      const hit = attempts.findIndex(
        (each) => each.nodeId === nodeId && each.openedAtMs < atMs && (each.closedAtMs ?? Infinity) > atMs,
      );
      const next = attempts.slice(hit + 1).find(({ openedAtMs }) => openedAtMs > atMs);
      if (hit < 0 || attempts[hit]?.state === "succeeded" || next === undefined) return [];
      const down = serverUps.find(({ downAtMs, upAtMs }) => downAtMs < next.openedAtMs && upAtMs > atMs);
      return [Math.max(0, next.openedAtMs - Math.max(atMs, down?.upAtMs ?? 0))];
    }),
  );
}

function crashOne({ legacyNodes: [first, ...others] }: Fleet, random: Random): void {
  if (first !== undefined) random.pick([first, ...others]).crash();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
