import { requirementClassKey } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import { aTask } from "./support/builders.ts";
import { Fleet, sendsOf } from "./support/fleet.ts";

const { requirements } = aTask("any");

/** A fleet of one free provider, which rejects `t1`. */
function setup(task: Parameters<typeof aTask>[1] = {}) {
  const fleet = new Fleet();
  fleet.dispatcher.registerClass(requirements);
  fleet.join("p1");
  fleet.submit("t1", task);
  fleet.feed({ type: "rejected", taskId: "t1", attempt: 1, providerId: "p1", reason: "no disk space" });
  return {
    fleet,
    demand: () => fleet.dispatcher.classDemand(requirementClassKey(requirements)),
    idle: () => fleet.dispatcher.idleProviders().map(({ providerId }) => providerId),
  };
}

test("a task that the only provider rejected is set aside until that is forgotten", () => {
  const { fleet, demand } = setup();
  expect(demand()).toEqual({ waiting: 1, setAside: 1, fittingSlots: 1, idleSlots: 1 });
  expect(sendsOf(fleet.pass(30_000))).toEqual(["t1#2>p1"]);
  expect(demand()).toEqual({ waiting: 0, setAside: 0, fittingSlots: 1, idleSlots: 0 });
});

test("one that a busy provider may have is not set aside, and one that can pay nobody else is", () => {
  const { fleet, demand } = setup({ maxCost: 3 });
  fleet.join("p2", { cost: 4 });
  expect(demand()).toMatchObject({ waiting: 1, setAside: 1 });
  fleet.join("p3", { cost: 2 });
  expect(sendsOf(fleet.effects).at(-1)).toBe("t1#2>p3");
  for (const taskId of ["t2", "t3"]) fleet.submit(taskId, { maxCost: 15 });
  fleet.submit("t4", { maxCost: 3 });
  expect(demand()).toMatchObject({ waiting: 1, setAside: 0 });
});

test("a slot is idle for the classes that are registered though a task waits that it rejected", () => {
  const { fleet, idle } = setup();
  expect(idle()).toEqual(["p1"]);
  fleet.submit("t2");
  expect(idle()).toEqual([]);
});
