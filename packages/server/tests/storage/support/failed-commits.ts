import { expect, test } from "@jest/globals";
import { inserted, newTask } from "./builders.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

/** What holds for commits that the database refuses. Run over each adapter; the model in memory takes everything. */
export function describeFailedCommits(setup: () => Promise<StoreUnderTest>): void {
  test("a commit that fails takes along those that were asked for behind it, and then the next is taken", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [before, impossible, behind, after] = [newTask(), newTask({ maxCost: NaN }), newTask(), newTask()];
    const results = await Promise.allSettled(
      [before, impossible, behind].map((task) => store.commit([inserted(task)])),
    );
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(results[2]).toMatchObject({ reason: { name: "StoreUnavailable", outcome: "rolled_back" } });
    await store.commit([inserted(after)]);
    const found = await Promise.all([before, impossible, behind, after].map((task) => store.task(task.taskId)));
    expect(found.map((task) => task?.taskId ?? null)).toEqual([before.taskId, null, null, after.taskId]);
  });
}
