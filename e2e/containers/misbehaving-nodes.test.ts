import { expect } from "@jest/globals";
import { dockerTest } from "../support/docker.ts";
import { figuresOf, sharesOf, tell } from "../support/figures.ts";
import { type V1Behaviour, V1Node, v1Error, v1Register, v1Result } from "../support/v1-node.ts";
import { WholeSystem } from "../support/whole-system.ts";

const tasksOfEach = 15;

dockerTest(
  "with nodes that fail, that work by halves, or that hang up on every task, each task succeeds on the last good one",
  async () => {
    await using system = await WholeSystem.start();
    await system.createNode("steady");
    await system.tasks.online(["steady"]);
    const peer = (name: string, behave: V1Behaviour) =>
      new V1Node(`${system.backend}/?token=${system.nodeToken}`, v1Register(name), behave);

    const failing = await (async () => {
      using first = peer("failing-1", ({ taskId }) => [v1Error(taskId)]);
      using second = peer("failing-2", ({ taskId }) => [v1Error(taskId)]);
      using flaky = peer("flaky", ({ taskId }, n) => [n % 2 === 0 ? v1Result(taskId) : v1Error(taskId)]);
      await system.tasks.online(["steady", "failing-1", "failing-2", "flaky"]);
      const tasks = await runTasks(system);
      return { tasks, given: first.tasks + second.tasks + flaky.tasks };
    })();
    expect(figuresOf(failing.tasks)).toMatchObject({ tasks: tasksOfEach, lost: 0, twice: 0 });
    expect(failing.given).toBeGreaterThan(0);

    const dropping = await (async () => {
      const droppers = Array.from({ length: 4 }, (_, n) => peer(`dropper-${n}`, () => "drop"));
      try {
        await system.tasks.online(["steady", ...droppers.map((_, n) => `dropper-${n}`)]);
        const tasks = await runTasks(system);
        return { tasks, given: droppers.reduce((sum, dropper) => sum + dropper.tasks, 0) };
      } finally {
        for (const dropper of droppers) dropper[Symbol.dispose]();
      }
    })();
    expect(figuresOf(dropping.tasks)).toMatchObject({ tasks: tasksOfEach, lost: 0, twice: 0 });
    expect(dropping.given).toBeGreaterThan(0);
    expect(sharesOf(dropping.tasks)).toEqual({ steady: tasksOfEach });

    tell("misbehaving nodes", {
      ...figuresOf([...failing.tasks, ...dropping.tasks]),
      failed: failing.given,
      hungUp: dropping.given,
    });
  },
  300_000,
);

async function runTasks(system: WholeSystem) {
  const ids = await Promise.all(
    Array.from({ length: tasksOfEach }, (_, n) => system.tasks.submit({ prompt: `whoever can, ${n}` })),
  );
  return system.tasks.ended(ids, 90_000);
}
