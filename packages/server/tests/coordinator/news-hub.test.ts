import { expect, test } from "@jest/globals";
import { NewsHub } from "../../src/coordinator/news-hub.ts";

test("what is told says behind which position of the log nothing was left untold", () => {
  const hub = new NewsHub();
  const told: number[][] = [];
  hub.subscribe("user:ann", (news) => {
    if (news.type === "event") told.push([news.event.position, news.toldAfter]);
  });
  for (const position of [7, 8, 10, 11, 9, 12]) {
    hub.publishEvent({ position, taskId: "t", userId: "ann", number: 1, atMs: 0, state: "queued", detail: {} });
  }
  expect(told).toEqual([
    [7, 6],
    [8, 6],
    [10, 9],
    [11, 9],
    [9, 9],
    [12, 9],
  ]);
});
