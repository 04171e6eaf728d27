import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Agenda } from "../src/placement/agenda.ts";

interface Item {
  readonly name: number;
  place: number;
}

const name = fc.integer({ min: 0, max: 7 });
const step = fc.record({ action: fc.constantFrom("add", "delete"), name });

test("agrees with a Set of which the first is taken, whatever is done to it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items = Array.from({ length: 8 }, (_, name): Item => ({ name, place: -1 }));
      const agenda = new Agenda<"place", Item>("place");
      const set = new Set<Item>();
      for (const { action, name } of steps) {
        const item = items[name] as Item;
        if (action === "add") {
          agenda.add(item);
          set.add(item);
        } else {
          agenda.delete(item);
          set.delete(item);
        }
        const [first = null] = set;
        expect([agenda.size, agenda.first()]).toEqual([set.size, first]);
      }
    }),
    { numRuns: 300, seed: Number(process.env.SEED ?? 1) },
  );
});
