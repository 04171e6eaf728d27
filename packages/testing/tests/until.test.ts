import { expect, test } from "@jest/globals";
import { until } from "../src/until.ts";

test("what is seen at last is given, be it 0 or empty", async () => {
  const sights = [null, undefined, false, 0];
  expect(await until("a number", () => sights.shift())).toBe(0);
  expect(await until("a text", async () => "")).toBe("");
});

test("what does not come in time is told by its name", async () => {
  await expect(until("the tide", () => false, 5)).rejects.toThrow("Not within 5 ms: the tide");
});

test("what a look throws ends the wait", async () => {
  const broken = new Error("broken");
  await expect(until("anything", () => Promise.reject(broken))).rejects.toBe(broken);
});
