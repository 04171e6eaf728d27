import type { Delivery, DeliveryStore } from "../../src/webhooks/delivery-store.ts";
import type { FakeTasks } from "./fake-tasks.ts";

/** Every task has a webhook that was given up after one try. */
export function fakeDeliveries(tasks: FakeTasks): DeliveryStore {
  const delivery = async (deliveryId: string): Promise<Delivery | null> => {
    const task = await tasks.store.task(deliveryId);
    if (task === null) return null;
    const url = "https://example.com/hook";
    const { userId } = task;
    return { deliveryId, userId, url, state: "dead", createdAtMs: 0, tries: 1, nextTryAtMs: null, note: "No answer." };
  };
  return {
    delivery,
    deliveriesOf: async (userId, _state, limit, before) => {
      const { tasks: page } = await tasks.store.tasksOf(userId, {}, limit, before);
      return (await Promise.all(page.map(({ taskId }) => delivery(taskId)))).filter((each) => each !== null);
    },
    triesOf: async () => [{ number: 1, atMs: 0, durationMs: 15_000, httpStatus: null, note: "No answer." }],
    webhookBacklog: async () => ({ waiting: 0, dead: 0, oldestAtMs: null }),
    outboxDue: async () => [],
    outboxTried: async () => {},
    outboxDeferred: async () => {},
    replayDelivery: async () => true,
    replayDeliveries: async () => 0,
    sinkIsStopped: async () => false,
    setSinkStopped: async () => {},
  };
}
