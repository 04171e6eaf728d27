import { expect, test } from "@jest/globals";
import { Agenda } from "../src/placement/agenda.ts";

test("agrees with a Set of which the first is taken, whatever is done to it", () => {
  const seed = Number(process.env.SEED ?? 7);
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const items = Array.from({ length: 8 }, (_, name) => ({ name, place: -1 }));
  const agenda = new Agenda<"place", { name: number; place: number }>("place");
  const set = new Set<{ name: number; place: number }>();
  for (let step = 0; step < 20_000; step++) {
    const item = items[below(items.length)] as (typeof items)[number];
    // By turns it fills up and runs empty.
    if (below(10) < (step % 200 < 100 ? 7 : 3)) {
      agenda.add(item);
      set.add(item);
    } else {
      agenda.delete(item);
      set.delete(item);
    }
    const [first = null] = set;
    if (agenda.first() !== first || agenda.size !== set.size)
      throw new Error(`They differ: seed ${seed}, step ${step}.`);
  }
  for (const item of items) agenda.delete(item);
  expect([agenda.size, agenda.first(), ...items.map(({ place }) => place)]).toEqual([0, null, ...items.map(() => -1)]);
});
