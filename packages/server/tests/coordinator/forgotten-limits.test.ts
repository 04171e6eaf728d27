import { expect, test } from "@jest/globals";
import { modernNode, newTask, setup } from "./setup.ts";

test("what a user may do holds though the dispatcher has forgotten the user meanwhile", async () => {
  const limits = { weight: 1, userClass: 0, queuedMax: 100, runningMax: 1 };
  await using bundle = await setup({ userLimits: () => limits });
  const { coordinator } = bundle;
  const first = newTask();
  await coordinator.submit(first, null);
  await coordinator.cancel(first.taskId);
  expect(coordinator.dispatcher.limitsOf("alice")).toEqual(limits);

  for (let i = 0; i < 100_000; i++) {
    coordinator.dispatcher.step(0, { type: "userChanged", userId: `user-${i}`, limits });
  }
  expect(coordinator.dispatcher.limitsOf("alice")).toMatchObject({ runningMax: null });

  await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 4 }), []);
  for (let i = 0; i < 3; i++) await coordinator.submit(newTask(), null);
  expect(coordinator.dispatcher.users()).toMatchObject([{ userId: "alice", running: 1, waiting: 2 }]);
});
