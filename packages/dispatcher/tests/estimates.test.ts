import { Dispatcher } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import { aProvider, aTask } from "./support/builders.ts";
import { Fleet } from "./support/fleet.ts";

/** A fleet that has run the same task on both GPU types: 4 s with 2 s of loading on the quick one, 16 s with 8 s on the slow one. */
function experienced(): Fleet {
  const fleet = new Fleet();
  for (const [providerId, gpuType, runMs, loadMs] of [
    ["quick", "RTX 4090", 4_000, 2_000],
    ["slow", "RTX 3060", 16_000, 8_000],
  ] as const) {
    fleet.join(providerId, { gpuType, warmModel: null });
    for (let n = 0; n < 5; n++) {
      const taskId = `${providerId}-${n}`;
      fleet.submit(taskId);
      fleet.pass(runMs + loadMs);
      const ref = { taskId, attempt: 1, providerId };
      fleet.feed({ type: "completed", ...ref, gpuMs: runMs + loadMs, loadMs, warmModel: "sdxl" });
    }
    fleet.feed({ type: "providerLost", providerId, how: "left" });
  }
  return fleet;
}

/** Seconds of loading and running that a cold provider is thought to need. */
function thoughtOf(dispatcher: Dispatcher, gpuType: string) {
  const provider = aProvider("cold", { gpuType, warmModel: null });
  dispatcher.step(1e9, { type: "providerJoined", provider, held: [] });
  const answer = dispatcher.whatIf(aTask("asked"));
  if (!answer.ok) throw new Error(answer.refusal.message);
  const [only] = answer.providers;
  dispatcher.step(1e9, { type: "providerLost", providerId: "cold", how: "left" });
  return { loadSeconds: only?.parts?.loadSeconds, runSeconds: only?.parts?.runSeconds };
}

test("what one dispatcher learned another one knows after it went through JSON", () => {
  const { dispatcher } = experienced();
  const next = new Dispatcher();
  next.importEstimates(JSON.parse(JSON.stringify(dispatcher.exportEstimates())));
  expect(next.exportEstimates()).toEqual(dispatcher.exportEstimates());
  for (const gpuType of ["RTX 4090", "RTX 3060"])
    expect(thoughtOf(next, gpuType)).toEqual(thoughtOf(dispatcher, gpuType));
});

test("imported estimates decide: the first task goes where it was quick before", () => {
  const learned = experienced().dispatcher.exportEstimates();
  const firstSend = (knows: boolean) => {
    const dispatcher = new Dispatcher();
    if (knows) dispatcher.importEstimates(learned);
    // Without experience both look alike, and the first that came is taken.
    for (const [providerId, gpuType] of [["slow", "RTX 3060"] as const, ["quick", "RTX 4090"] as const]) {
      dispatcher.step(0, { type: "providerJoined", provider: aProvider(providerId, { gpuType }), held: [] });
    }
    const result = dispatcher.step(0, { type: "submit", task: aTask("t") });
    return result.ok ? result.effects.find((effect) => effect.type === "send")?.providerId : null;
  };
  expect(firstSend(false)).toBe("slow");
  expect(firstSend(true)).toBe("quick");
});

test("entries that make no sense are left out, and the others are taken", () => {
  const speed = { gpuType: "rtx 4090", engine: "comfyui", spread: 0 };
  const dispatcher = new Dispatcher();
  const good = { model: "sdxl", signature: "standard", ...speed, count: 3, mean: 0.002 };
  dispatcher.importEstimates({
    version: 1,
    runs: [
      good,
      { ...good, model: "a", mean: Number.NaN },
      { ...good, model: "b", count: 0 },
      { ...good, model: "c", mean: -1 },
    ],
    loads: [{ model: "sdxl", ...speed, count: 1, mean: Number.POSITIVE_INFINITY }],
  });
  expect(dispatcher.exportEstimates()).toEqual({ version: 1, runs: [good], loads: [] });
});
