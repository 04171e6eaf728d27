import { readFile } from "node:fs/promises";
import { Dispatcher, type Provider, type Task } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import { simulate } from "../../src/simulator/simulate.ts";
import type { TraceItem } from "../../src/simulator/trace.ts";

/** Lines of the n-th diagram of the dispatcher's README. */
async function drawn(nth: number): Promise<string[]> {
  const readme = await readFile(new URL("../../../dispatcher/README.md", import.meta.url), "utf8");
  const diagram = readme.split("```mermaid\n")[nth]?.split("```")[0] ?? "";
  return diagram.split("\n").flatMap((line) => (line.includes("-->") ? [line.trim()] : []));
}

function aProvider(providerId: string): Provider {
  return {
    providerId,
    legacy: false,
    engine: null,
    pipelines: ["standard"],
    models: [],
    warmModel: null,
    gpuType: null,
    vramBytes: null,
    imageInput: false,
    slots: 1,
    prefetch: 0,
    cost: 1,
    ready: true,
  };
}

const TASK: Task = {
  taskId: "t1",
  userId: "ann",
  priority: 0,
  maxCost: 5,
  timeToMoneyRatio: 1,
  requirements: {
    pipeline: "standard",
    engine: null,
    models: [],
    gpuType: null,
    vramBytesMin: null,
    imageInput: "none",
    modelIsWishOnLegacy: false,
  },
  work: { signature: "standard", units: 1 },
  limitMs: 600_000,
  ageMs: 0,
  expiresInMs: null,
  maxAttempts: 5,
};

/** Runs that take the rarer steps, to begin with, and how many more may be needed once the simulator plays differently. */
const RICH_SEEDS = [325, 260, 258, 250, 210, 117, 114, 63, 39, 31, 26, 24, 16, 14, 13, 12, 9, 6, 5, 3, 2, 1];
const SEEDS_MAX = 1_000;

interface Steps {
  readonly tasks: Set<string>;
  readonly attempts: Set<string>;
}

/** Adds every step of a task or an attempt that a trace takes. */
function walk(trace: readonly TraceItem[], { tasks, attempts }: Steps): void {
  const step = (steps: Set<string>, from: string, to: string) => from !== to && steps.add(`${from} --> ${to}`);
  let dispatcher = new Dispatcher();
  let taskStates = new Map<string, string>();
  let attemptStates = new Map<string, string>();
  for (const item of trace) {
    if ("options" in item) {
      dispatcher = new Dispatcher(item.options);
      taskStates = new Map();
      attemptStates = new Map();
    }
    if (!("input" in item)) continue;
    const result = dispatcher.step(item.nowMs, item.input);
    if (!result.ok) continue;
    const given = new Set<string>();
    const touched = new Set<string>(item.input.type === "submit" ? [item.input.task.taskId] : []);
    for (const effect of result.effects) {
      if ("taskId" in effect) touched.add(effect.taskId);
      if (effect.type === "send") given.add(effect.taskId);
      if (effect.type !== "send" && effect.type !== "attemptChanged") continue;
      const name = `${effect.attempt}#${effect.taskId}`;
      const state = effect.type === "send" ? "assigned" : effect.state;
      const before = attemptStates.get(name);
      // What a restored attempt was before is not told.
      if (before !== undefined || state === "assigned") step(attempts, before ?? "[*]", state);
      attemptStates.set(name, state);
    }
    for (const taskId of touched) {
      const state = dispatcher.task(taskId)?.state ?? "[*]";
      const before = taskStates.get(taskId) ?? "[*]";
      // What is given out waited, be it for no time at all.
      if (given.has(taskId)) step(tasks, before, "waiting");
      step(tasks, given.has(taskId) ? "waiting" : before, state);
      taskStates.set(taskId, state);
    }
  }
}

/** What chance seldom comes to: a lost attempt is back while its task backs off from the fault of a second one. */
const RESUMED_WHILE_BACKING_OFF: readonly TraceItem[] = [
  { options: {} },
  { nowMs: 0, input: { type: "providerJoined", provider: aProvider("p1"), held: [] } },
  { nowMs: 0, input: { type: "submit", task: TASK } },
  { nowMs: 0, input: { type: "providerJoined", provider: aProvider("p2"), held: [] } },
  { nowMs: 0, input: { type: "providerLost", providerId: "p1", how: "broken" } },
  { nowMs: 3_000, input: { type: "tick" } },
  { nowMs: 3_000, input: { type: "failed", taskId: "t1", attempt: 2, providerId: "p2", fault: "node", code: "oom" } },
  { nowMs: 3_000, input: { type: "providerJoined", provider: aProvider("p1"), held: [{ taskId: "t1", attempt: 1 }] } },
];

test("the diagrams of the README draw every step that is ever taken, and no other", async () => {
  const tasks = await drawn(1);
  const attempts = await drawn(2);
  const walked: Steps = { tasks: new Set(), attempts: new Set() };
  walk(RESUMED_WHILE_BACKING_OFF, walked);
  let runs = 0;
  const isWalked = () => walked.tasks.size >= tasks.length && walked.attempts.size >= attempts.length;
  for (const seed of RICH_SEEDS) walk(simulate(seed, 150).trace, walked);
  while (!isWalked() && runs < SEEDS_MAX) walk(simulate(1_000 + runs++, 150).trace, walked);
  console.info(`${RICH_SEEDS.length + runs} runs`);
  expect({ tasks: [...walked.tasks].sort(), attempts: [...walked.attempts].sort() }).toEqual({
    tasks: tasks.sort(),
    attempts: attempts.sort(),
  });
}, 120_000);
