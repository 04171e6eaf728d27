import { expect } from "@jest/globals";
import { dockerTest } from "../support/docker.ts";
import { figuresOf, sharesOf, tell } from "../support/figures.ts";
import { WholeSystem } from "../support/whole-system.ts";

const names = ["a", "b", "c", "d", "e"];

dockerTest(
  "five nodes share a hundred tasks evenly, one after the other and all at once",
  async () => {
    await using system = await WholeSystem.start();
    // Long enough for a task that a moment's stall of this machine does not make one node look slower than its twins.
    await system.createNodes(names, ["--step-ms", "50"]);

    const oneByOne = [];
    for (let n = 0; n < 100; n += 1) {
      const id = await system.tasks.submit({ prompt: `step ${n}` });
      oneByOne.push(...(await system.tasks.ended([id], 20_000)));
    }
    const ids = await Promise.all(Array.from({ length: 100 }, (_, n) => system.tasks.submit({ prompt: `burst ${n}` })));
    const burst = await system.tasks.ended(ids, 60_000);

    const shares = { oneByOne: sharesOf(oneByOne), burst: sharesOf(burst) };
    const figures = figuresOf([...oneByOne, ...burst]);
    tell("fair shares", { ...figures, ...shares });
    expect(figures).toEqual({ tasks: 200, moved: 0, lost: 0, twice: 0 });
    // Twenty each would be even to the task; who is a little quicker may have a little more.
    for (const name of names) {
      expect(shares.oneByOne[name]).toBeGreaterThanOrEqual(10);
      expect(shares.oneByOne[name]).toBeLessThanOrEqual(30);
      expect(shares.burst[name]).toBeGreaterThanOrEqual(10);
      expect(shares.burst[name]).toBeLessThanOrEqual(30);
    }
  },
  300_000,
);
