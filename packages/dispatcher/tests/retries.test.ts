import type { DispatcherEffect } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import { aProvider } from "./support/builders.ts";
import { Fleet, settledOf } from "./support/fleet.ts";

const PROVIDERS = 12;
const MAX_ATTEMPTS = 12;
const BASE_MS = 2_000;
const CAP_MS = 300_000;

type Trouble = "fault" | "loss" | "reject";
type EffectOf<Type extends DispatcherEffect["type"]> = Extract<DispatcherEffect, { type: Type }>;

/** A fleet on which nothing but the task's own budgets ends or delays it. */
function patientFleet(): Fleet {
  const fleet = new Fleet({ restMs: 1, rejectSkipMs: 0 });
  for (let i = 0; i < PROVIDERS; i++) fleet.join(`p${i}`);
  return fleet;
}

/** Has one attempt after the other come to grief, until the task is over. Gives what each requeue said, and how it ended. */
function endure(fleet: Fleet, taskId: string, troubles: Iterable<Trouble>) {
  const requeues: EffectOf<"requeued">[] = [];
  let attempts = 0;
  let effects = fleet.submit(taskId, { maxAttempts: MAX_ATTEMPTS });
  for (const trouble of troubles) {
    const sent = effects.findLast((effect): effect is EffectOf<"send"> => effect.type === "send");
    if (sent === undefined) throw new Error(`Attempt ${attempts + 1} of ${taskId} was not sent.`);
    attempts += 1;
    const { attempt, providerId } = sent;
    const ref = { taskId, attempt, providerId };
    if (trouble === "fault") effects = fleet.feed({ type: "failed", ...ref, fault: "node", code: "out_of_memory" });
    else if (trouble === "reject") effects = fleet.feed({ type: "rejected", ...ref, reason: "busy" });
    else {
      effects = fleet.feed({ type: "providerLost", providerId, how: "left" });
      effects = [...effects, ...fleet.join(providerId)];
    }
    const end = settledOf(effects)[taskId];
    if (end !== undefined) return { requeues, attempts, end };
    const requeued = effects.find((effect): effect is EffectOf<"requeued"> => effect.type === "requeued");
    if (requeued === undefined) throw new Error(`${taskId} was neither requeued nor ended.`);
    requeues.push(requeued);
    effects = [...effects, ...fleet.pass(requeued.retryInMs)];
  }
  return { requeues, attempts, end: null };
}

function* forever(trouble: Trouble): Generator<Trouble> {
  for (;;) yield trouble;
}

test("check 18: the wait after fault n lies anywhere in [0, min(cap, base·2ⁿ⁻¹)), and maxAttempts faults end the task", () => {
  const shares = Array.from({ length: MAX_ATTEMPTS - 1 }, () => [] as number[]);
  for (let i = 0; i < 500; i++) {
    const { requeues, attempts, end } = endure(patientFleet(), `task-${i}`, forever("fault"));
    expect(attempts).toBe(MAX_ATTEMPTS);
    expect(end).toMatchObject({ state: "failed", code: "attempts_exhausted" });
    requeues.forEach(({ faults, retryInMs }, n) => {
      expect(faults).toBe(n + 1);
      shares[n]?.push(retryInMs / Math.min(CAP_MS, BASE_MS * 2 ** n));
    });
  }
  for (const [n, ofFault] of shares.entries()) {
    const mean = ofFault.reduce((sum, share) => sum + share, 0) / ofFault.length;
    const [least, most] = [Math.min(...ofFault), Math.max(...ofFault)];
    // Full jitter: all of the range is used, and none of it more than the rest.
    expect({
      n,
      least: least >= 0 && least < 0.05,
      mean: Math.abs(mean - 0.5) < 0.06,
      most: most < 1 && most > 0.95,
    }).toEqual({ n, least: true, mean: true, most: true });
  }
});

test("check 18: a loss costs no wait and counts by itself: ten of them end a task, whatever its faults", () => {
  const { requeues, attempts, end } = endure(patientFleet(), "lost", forever("loss"));
  expect(requeues.map(({ losses, faults, retryInMs }) => [losses, faults, retryInMs])).toEqual(
    Array.from({ length: 9 }, (_, n) => [n + 1, 0, 0]),
  );
  expect(attempts).toBe(10);
  expect(end).toMatchObject({ state: "failed", code: "nodes_lost" });
});

test("check 18: neither budget pays for the other: eleven faults and nine losses leave a task alive", () => {
  const mixed: Trouble[] = Array.from({ length: 9 }, () => ["loss", "fault"] as const).flat();
  const alive = endure(patientFleet(), "mixed", [...mixed, "fault", "fault"]);
  expect(alive.end).toBeNull();
  expect(alive.requeues.at(-1)).toMatchObject({ faults: 11, losses: 9 });
  expect(endure(patientFleet(), "mixed", [...mixed, "fault", "fault", "fault"]).end).toMatchObject({
    code: "attempts_exhausted",
  });
  expect(endure(patientFleet(), "mixed", [...mixed, "fault", "fault", "loss"]).end).toMatchObject({
    code: "nodes_lost",
  });
});

test("check 18: a reject counts in neither", () => {
  const { requeues, end } = endure(patientFleet(), "rejected", Array<Trouble>(50).fill("reject"));
  expect(end).toBeNull();
  expect(requeues.at(-1)).toMatchObject({ faults: 0, losses: 0, retryInMs: 0 });
});

test("what is left of a backoff is told in whole milliseconds, whatever fraction the clock has, and kept to", () => {
  for (let i = 0; i < 500; i++) {
    const fleet = new Fleet();
    const taskId = `task-${i}`;
    const node = (providerId: string) => ({ taskId, attempt: providerId === "p1" ? 1 : 2, providerId });
    // Sums with a fraction are rounded most where they pass a power of two.
    fleet.nowMs = 4_096 - i / 7;
    fleet.join("p1");
    fleet.submit(taskId);
    fleet.join("p2");
    fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
    fleet.pass(3_000);
    fleet.feed({ type: "providerJoined", provider: aProvider("p1"), held: [{ taskId, attempt: 1 }] });
    fleet.feed({ type: "failed", ...node("p2"), fault: "node", code: "out_of_memory" });
    // The backoff has begun, and nothing waits for its end until the first attempt is given back too.
    fleet.pass(i / 9);
    const effects = fleet.feed({ type: "rejected", ...node("p1"), reason: "leaving" });
    const requeued = effects.find((effect): effect is EffectOf<"requeued"> => effect.type === "requeued");
    expect(requeued).toMatchObject({ faults: 1, retryInMs: Math.ceil(requeued?.retryInMs ?? Number.NaN) });
    if (requeued === undefined || requeued.retryInMs === 0) continue;
    expect(fleet.dispatcher.task(taskId)?.state).toBe("backingOff");
    expect(fleet.dispatcher.nextDeadlineMs()).toBe(fleet.nowMs + requeued.retryInMs);
  }
});

test("a limit with a fraction is rounded up", () => {
  const fleet = new Fleet();
  fleet.join("p1");
  expect(fleet.submit("t", { limitMs: 1_000.5 })).toContainEqual(expect.objectContaining({ limitMs: 1_001 }));
});
