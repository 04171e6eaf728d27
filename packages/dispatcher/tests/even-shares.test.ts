import { expect, test } from "@jest/globals";
import { Fleet } from "./support/fleet.ts";

const names = ["a", "b", "c", "d", "e"];

/** One task after the other on idle providers; `runMs` says how long one takes. Returns who ran each. */
function oneByOne(tasks: number, runMs: (n: number, providerId: string) => number): string[] {
  const fleet = new Fleet();
  for (const name of names) fleet.join(name);
  return Array.from({ length: tasks }, (_, n) => {
    const [send] = fleet.submit(`t${n}`).flatMap((effect) => (effect.type === "send" ? [effect] : []));
    if (!send) throw new Error(`Task ${n} waits beside idle providers.`);
    const { taskId, attempt, providerId } = send;
    const gpuMs = runMs(n, providerId);
    fleet.pass(gpuMs);
    fleet.feed({ type: "completed", taskId, attempt, providerId, gpuMs, warmModel: null });
    fleet.pass(1_000);
    return providerId;
  });
}

function sharesOf(ran: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, ran.filter((one) => one === name).length]));
}

/** 0 to 1, the same in each run. */
function noise(n: number): number {
  return (Math.imul(n + 1, 2_654_435_761) >>> 0) / 2 ** 32;
}

test("equal providers share the tasks evenly, though the whole fleet is slow at first and then quick", () => {
  const shares = sharesOf(oneByOne(100, (n) => (n < 6 ? 9_000 : 6_000) * (1 + 0.2 * noise(n))));
  for (const name of names) expect(shares[name]).toBeGreaterThanOrEqual(14);
});

test("a provider that is slow for good is left alone while quicker ones are idle", () => {
  const shares = sharesOf(oneByOne(200, (n, name) => (name === "b" ? 12_000 : 6_000) * (1 + 0.1 * noise(n))));
  expect(shares.b).toBeLessThanOrEqual(20);
});

test("a provider that was slow for its first five tasks alone gets its share again, though its equals are idle", () => {
  let ofB = 0;
  const ran = oneByOne(800, (n, name) => (name === "b" && ofB++ < 5 ? 24_000 : 6_000) * (1 + 0.1 * noise(n)));
  const { b, ...others } = sharesOf(ran.slice(-200));
  console.info(`The last 200 tasks: b ${b}, others ${JSON.stringify(others)}.`);
  expect(b).toBeGreaterThanOrEqual(28);
  // It was left alone before, so this is not for want of having looked slow.
  expect(sharesOf(ran.slice(0, 200)).b).toBeLessThanOrEqual(20);
});
