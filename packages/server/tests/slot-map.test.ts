import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { SlotMap } from "../src/slot-map.ts";

test("agrees with a Map, whatever is done to it", () => {
  const seed = Number(process.env.SEED ?? 7);
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const map = new Map<string, number>();
  const slots = new SlotMap<string, number>();
  for (let step = 0; step < 20_000; step++) {
    const key = `key ${below(50)}`;
    const action = below(1_000);
    if (action < 500) {
      map.set(key, step);
      slots.set(key, step);
    } else if (action < 999) {
      if (slots.delete(key) !== map.delete(key)) throw new Error(`seed ${seed}, step ${step}: deleting ${key}`);
    } else {
      map.clear();
      slots.clear();
    }
    const other = `key ${below(50)}`;
    const agrees =
      slots.size === map.size && slots.has(other) === map.has(other) && slots.get(other) === map.get(other);
    if (!agrees) throw new Error(`seed ${seed}, step ${step}: ${other}`);
  }
  expect([...slots.values()]).toEqual([...map.values()]);
});

test("may be changed while its values are gone through", () => {
  const slots = new SlotMap<string, string>();
  for (const name of ["ann", "bob", "cid"]) slots.set(name, name);
  const seen: string[] = [];
  for (const name of slots.values()) {
    seen.push(name);
    slots.delete("bob");
    if (seen.length === 1) slots.set("dan", "dan");
  }
  expect(seen).toEqual(["ann", "cid", "dan"]);
});

test("keeps nothing of what was deleted, where a Map keeps all of it until a full collection", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: "minor" | "major" }) => void;
  /** What becomes old of 4 MB that pass through, ten entries at a time. */
  const oldMbAfter = (map: Pick<SlotMap<string, unknown>, "set" | "delete">): number => {
    map.set("first", {});
    // What is there by now is old from here on.
    collect({ type: "major" });
    const before = oldMb();
    for (let n = 0; n < 5_000; n++) {
      map.set(`key ${n}`, new Array(100).fill(n));
      map.delete(`key ${n - 10}`);
      if (n % 100 === 99) collect({ type: "minor" });
    }
    return oldMb() - before;
  };
  const map = new Map<string, unknown>();
  const ofMap = oldMbAfter({ set: (key, value) => void map.set(key, value), delete: (key) => map.delete(key) });
  expect(oldMbAfter(new SlotMap())).toBeLessThan(0.05);
  // Where this fails V8 has learned it, and `SlotMap` can go.
  expect(ofMap).toBeGreaterThan(0.1);
});

function oldMb(): number {
  const used = getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size;
  return (used ?? NaN) / 1_000_000;
}
