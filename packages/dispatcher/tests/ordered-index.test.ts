import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { OrderedIndex } from "../src/ordered-index.ts";
import { type Timed, Timers } from "../src/timers.ts";

/** Plain arrays beside the tree; enough items that it splits and shrinks several times. */
const commands = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("add" as const),
        key: fc.nat(400),
        measure: fc.integer({ min: -9, max: 9 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("delete" as const), key: fc.nat(400) }) },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant("ask" as const), floor: fc.integer({ min: -10, max: 10 }) }),
    },
  ),
  { minLength: 1, maxLength: 1_000, size: "max" },
);

interface Item {
  readonly key: number;
  readonly measure: number;
}

test("the ordered index answers as a sorted array does, whatever is added and deleted", () => {
  let greatest = 0;
  fc.assert(
    fc.property(commands, (list) => {
      const index = new OrderedIndex<Item>(
        (a, b) => a.key - b.key,
        (item) => item.measure,
      );
      const plain = new Map<number, Item>();
      const sorted = () => [...plain.values()].sort((a, b) => a.key - b.key);
      for (const command of list) {
        if (command.type === "add") {
          if (plain.has(command.key)) continue;
          plain.set(command.key, command);
          index.add(command);
        } else if (command.type === "delete") {
          const item = plain.get(command.key) ?? { key: command.key, measure: 0 };
          expect(index.delete(item)).toBe(plain.delete(command.key));
        } else {
          const items = sorted();
          const { floor } = command;
          expect(index.firstReaching(floor)).toBe(items.find(({ measure }) => measure >= floor));
          const seen: Item[] = [];
          const worth = (_first: Item, highest: number) => highest >= floor;
          index.explore(worth, (item) => {
            if (item.measure >= floor) seen.push(item);
            return false;
          });
          expect(seen).toEqual(items.filter(({ measure }) => measure >= floor));
        }
        greatest = Math.max(greatest, plain.size);
      }
      const items = sorted();
      expect([...index.values()]).toEqual(items);
      expect([index.size, index.first()]).toEqual([items.length, items[0]]);
      expect(index.highest).toBe(Math.max(Number.NEGATIVE_INFINITY, ...items.map(({ measure }) => measure)));
      expect(items.map((item) => index.rank(item))).toEqual(items.map((_, rank) => rank));
    }),
    { numRuns: 25, seed: Number(process.env.SEED ?? 1) },
  );
  // A node holds 32 items: without several levels nothing was shown.
  expect(greatest).toBeGreaterThan(100);
});

test("timers come due in the order of their instants, and of arming where those are the same", () => {
  const step = fc.record({ timer: fc.nat(30), atMs: fc.nat(50), clears: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(60), (steps, nowMs) => {
      const timers = new Timers<Timed>();
      const all = Array.from({ length: 31 }, () => ({ atMs: Number.POSITIVE_INFINITY, sequence: 0 }));
      let plain: { timer: number; atMs: number }[] = [];
      for (const { timer, atMs, clears } of steps) {
        plain = plain.filter((other) => other.timer !== timer);
        if (clears) timers.clear(all[timer] ?? null);
        else {
          plain.push({ timer, atMs });
          timers.set(all[timer] ?? { atMs: 0, sequence: 0 }, atMs);
        }
      }
      plain.sort((a, b) => a.atMs - b.atMs);
      expect([timers.size, timers.nextAtMs()]).toEqual([plain.length, plain[0]?.atMs ?? null]);
      const due: Timed[] = [];
      for (let timer = timers.takeDue(nowMs); timer !== null; timer = timers.takeDue(nowMs)) due.push(timer);
      const expected = plain.filter(({ atMs }) => atMs <= nowMs);
      expect(due.map((timer) => all.indexOf(timer))).toEqual(expected.map(({ timer }) => timer));
      expect(timers.size).toBe(plain.length - expected.length);
    }),
    { seed: Number(process.env.SEED ?? 1) },
  );
});
