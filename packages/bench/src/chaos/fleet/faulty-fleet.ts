import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@genai/protocol/conformance";
import { percentile } from "../../support/percentile.ts";
import type { TrialContext, TrialResult } from "../trial.ts";
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

/** How the nemesis goes about it, as options of a trial. */
export const FAULT_OPTIONS = {
  pauseMs: { default: 1_500, what: "milliseconds between two faults, on average" },
  blackHoleMsMax: {
    default: 27_000,
    what: "longest black hole; the default is longer than the silence that ends a socket",
  },
} as const;

export type FaultyFleetOption = "tasks" | keyof typeof FAULT_OPTIONS;

/** Gives tasks to a fleet while a nemesis harms it: every task has to end once, and no acknowledged task and no result on a node's disk may
 *  be lost. */
export async function runFaultyFleet(
  { options, random, folder }: TrialContext<FaultyFleetOption>,
  shape: {
    readonly fleet: FleetOptions;
    /** Whether the server is killed too. */
    readonly serverToo: boolean;
  },
): Promise<TrialResult> {
  const { tasks, pauseMs, blackHoleMsMax } = options;
  await using fleet = await Fleet.start(folder, shape.fleet);
  const startMs = performance.now();
  const nemesis = new Nemesis(fleet, random, { pauseMs, serverToo: shape.serverToo, blackHoleMsMax });
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

  const ledger = readLedger(fleet.home);
  const { ended, succeeded, attempts, twice, onDisk, accepted, superseded, violations } = judge(
    fleet,
    submitted,
    ledger,
  );
  const delays = redispatchDelays(ledger, nemesis);
  const delayMs = (share: number): number => (delays.length === 0 ? 0 : Math.round(percentile(delays, share)));
  return {
    figures: [
      ...Object.entries(nemesis.counts).map(([fault, count]) => ({ name: `fault: ${fault}`, value: count, bound: "" })),
      { name: "tasks ended", value: ended, bound: String(tasks) },
      { name: "ended succeeded", value: succeeded, bound: "" },
      { name: "ended twice", value: twice, bound: "0" },
      { name: "attempts for each task", value: Number((attempts / tasks).toFixed(2)), bound: "" },
      { name: "results that reached a disk", value: onDisk, bound: "" },
      { name: "of them accepted", value: accepted, bound: "" },
      { name: "superseded by an earlier result", value: superseded, bound: "" },
      { name: "lost", value: onDisk - accepted - superseded, bound: "0" },
      { name: "killed nodes' tasks given out again", value: delays.length, bound: "" },
      { name: "given out again after, p50 ms", value: delayMs(0.5), bound: "" },
      { name: "given out again after, p95 ms", value: delayMs(0.95), bound: `at most ${REDISPATCH_MS_P95}` },
      { name: "faults for, s", value: Math.round((healedMs - startMs) / 1_000), bound: "" },
      { name: "everything ended after, ms", value: Math.round(endMs - healedMs), bound: "" },
    ],
    violations: [
      ...violations,
      ...(ended === tasks ? [] : [`${tasks - ended} tasks have not ended.`]),
      ...(delayMs(0.95) <= REDISPATCH_MS_P95 ? [] : [`Tasks are given out again after ${delayMs(0.95)} ms (p95).`]),
    ],
  };
}

/** Posts tasks with a few under way at a time, until all are acknowledged. */
async function submitAll({ api }: Fleet, count: number, submitted: string[]): Promise<void> {
  const poster = async (lane: number): Promise<void> => {
    for (let i = lane; i < count; i += UNDER_WAY) {
      const pipeline = { type: "standard", prompt: `picture ${i}`, width: 64, height: 64, steps: 4, seed: i };
      const taskId = await api.submit(pipeline, `key-${i}`);
      submitted.push(taskId);
      await api.settled(taskId);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, (_, lane) => poster(lane)));
}

/** Resolves when every node has handed over what it keeps. */
async function untilPeace({ nodes }: Fleet, withinMs: number): Promise<void> {
  const givenUpAtMs = performance.now() + withinMs;
  while (performance.now() < givenUpAtMs) {
    if (nodes.every((node) => node.undelivered() === 0)) return;
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
