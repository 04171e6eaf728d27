import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { giveWay } from "../../src/http/give-way.ts";

test("is behind what comes up in the same turn of the event loop", async () => {
  const heard: string[] = [];
  await new Promise<void>((resolve) => {
    giveWay(() => {
      heard.push("caller");
      resolve();
    });
    // A node's frame that is read behind the request's body, and its commit.
    setImmediate(() => heard.push("store"));
  });
  expect(heard).toEqual(["store", "caller"]);
});

test("lets others have their turn between four and four", async () => {
  let carriedOut = 0;
  for (let n = 0; n < 10; n++) giveWay(() => carriedOut++);
  const afterEachTurn = new Set<number>();
  while (carriedOut < 10) {
    await nextTurn();
    afterEachTurn.add(carriedOut);
  }
  expect([...afterEachTurn]).toEqual([0, 4, 8, 10]);
});

test("goes on behind a pause", async () => {
  await new Promise<void>(giveWay);
  await nextTurn();
  await new Promise<void>(giveWay);
});
