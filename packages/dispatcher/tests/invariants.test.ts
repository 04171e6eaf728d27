import { Dispatcher, type DispatcherInput, type Provider } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { aProvider, aTask } from "./support/builders.ts";
import { violationsOf } from "./support/invariants.ts";

const MODELS = ["sdxl", "flux", ""] as const;

const provider = fc.record({
  providerId: fc.constantFrom("p1", "p2", "p3", "p4"),
  cost: fc.constantFrom(0, 1, 2, 5, 20),
  legacy: fc.boolean(),
  gpuType: fc.constantFrom("4090", "3060"),
  ready: fc.constantFrom(true, true, true, false),
  warmModel: fc.constantFrom("sdxl", "flux", null),
});

/** Slots never change, so that an attempt too many is one that was sent. */
const SLOTS: Readonly<Record<string, number>> = { p1: 1, p2: 1, p3: 2, p4: 3 };

function offerOf(value: Omit<Partial<Provider>, "providerId"> & { providerId: string }): Provider {
  return aProvider(value.providerId, { ...value, slots: SLOTS[value.providerId] ?? 1 });
}

const task = fc.record({
  taskId: fc.nat({ max: 30 }).map((number) => `t${number}`),
  userId: fc.constantFrom("ann", "bob", "cy"),
  model: fc.constantFrom(...MODELS),
  priority: fc.integer({ min: -2, max: 2 }),
  maxCost: fc.constantFrom(1, 3, 15, 100),
  timeToMoneyRatio: fc.constantFrom(0, 0.01, 0.1, 1, 10),
  units: fc.constantFrom(1e6, 1e7, 3e7),
  maxAttempts: fc.constantFrom(1, 2, 5),
  expiresInMs: fc.constantFrom(null, null, 20_000),
});

const slot = fc.record({ providerId: provider.map((p) => p.providerId), nth: fc.nat({ max: 2 }) });

/** One thing that happens; what it hits is looked up when it does. */
const happening = fc.oneof(
  { weight: 8, arbitrary: task.map((value) => ({ type: "submit" as const, value })) },
  { weight: 4, arbitrary: provider.map((value) => ({ type: "join" as const, value })) },
  { weight: 6, arbitrary: slot.map((value) => ({ type: "complete" as const, value })) },
  { weight: 2, arbitrary: slot.map((value) => ({ type: "sent" as const, value })) },
  { weight: 2, arbitrary: slot.map((value) => ({ type: "reject" as const, value })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(slot, fc.constantFrom("node", "task", "unexplained"))
      .map(([value, fault]) => ({ type: "fail" as const, value, fault: fault as "node" | "task" | "unexplained" })),
  },
  { weight: 1, arbitrary: provider.map((value) => ({ type: "change" as const, value })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(provider, fc.constantFrom("broken", "left"))
      .map(([value, how]) => ({ type: "lose" as const, value, how: how as "broken" | "left" })),
  },
  { weight: 1, arbitrary: provider.map((value) => ({ type: "drain" as const, value })) },
  { weight: 1, arbitrary: provider.map((value) => ({ type: "undrain" as const, value })) },
  { weight: 1, arbitrary: task.map((value) => ({ type: "cancel" as const, value })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(task, fc.constantFrom(null, 1, 2))
      .map(([value, runningMax]) => ({ type: "limits" as const, value, runningMax })),
  },
  { weight: 6, arbitrary: fc.nat({ max: 15_000 }).map((ms) => ({ type: "pass" as const, ms })) },
);

type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never;

/** The input that a happening means in this state, or null where there is nothing for it to hit. */
function inputOf(dispatcher: Dispatcher, what: Happening): DispatcherInput | null {
  switch (what.type) {
    case "submit": {
      const { model, units, ...others } = what.value;
      const requirements = { models: model === "" ? [] : [model] };
      return {
        type: "submit",
        task: aTask(others.taskId, { ...others, requirements, work: { signature: "standard", units } }),
      };
    }
    case "join": {
      const at = dispatcher.inspect().attempts.filter((attempt) => attempt.providerId === what.value.providerId);
      const held = what.value.legacy ? [] : at.slice(0, 1).map(({ taskId, attempt }) => ({ taskId, attempt }));
      return {
        type: "providerJoined",
        provider: offerOf(what.value),
        held,
      };
    }
    case "change":
      return { type: "providerChanged", provider: offerOf(what.value) };
    case "lose":
      return { type: "providerLost", providerId: what.value.providerId, how: what.how };
    case "drain":
    case "undrain":
      return { type: what.type, providerId: what.value.providerId };
    case "cancel":
      return { type: "cancel", taskId: what.value.taskId };
    case "limits": {
      const limits = { weight: 1, userClass: 0, queuedMax: 10, runningMax: what.runningMax };
      return { type: "userChanged", userId: what.value.userId, limits };
    }
    case "complete":
    case "sent":
    case "reject":
    case "fail": {
      const at = dispatcher.inspect().attempts.filter((attempt) => attempt.providerId === what.value.providerId);
      const hit = at[what.value.nth];
      if (hit === undefined) return null;
      const { taskId, attempt, providerId } = hit;
      const ref = { taskId, attempt, providerId };
      if (what.type === "complete") return { type: "completed", ...ref, gpuMs: null, warmModel: null };
      if (what.type === "sent") return { type: "sent", ...ref };
      if (what.type === "reject") return { type: "rejected", ...ref, reason: "busy" };
      return { type: "failed", ...ref, fault: what.fault, code: "boom" };
    }
    case "pass":
      return null;
  }
}

/** Lets time pass with a tick at each deadline, checking after each. */
function pass(dispatcher: Dispatcher, fromMs: number, ms: number, check: () => void): number {
  const untilMs = fromMs + ms;
  for (let deadlineMs = dispatcher.nextDeadlineMs(); deadlineMs !== null && deadlineMs <= untilMs; ) {
    dispatcher.step(deadlineMs, { type: "tick" });
    check();
    deadlineMs = dispatcher.nextDeadlineMs();
  }
  dispatcher.step(untilMs, { type: "tick" });
  return untilMs;
}

test("whatever happens, slots hold what they may and nobody waits beside a free slot without a reason", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80, size: "max" }), (happenings) => {
      const dispatcher = new Dispatcher();
      const check = () => expect(violationsOf(dispatcher)).toEqual([]);
      let nowMs = 0;
      for (const what of happenings) {
        if (what.type === "pass") nowMs = pass(dispatcher, nowMs, what.ms, check);
        const input = inputOf(dispatcher, what);
        if (input !== null) dispatcher.step(nowMs, input);
        check();
      }
    }),
    {
      numRuns: Number(process.env.RUNS ?? 300),
      seed: Number(process.env.SEED ?? 1),
    },
  );
});
