import { expect, test } from "@jest/globals";
import { newTaskId } from "../../src/tasks/new-task-id.ts";

test("ids are UUIDs of version 7, stand in the order of their making and repeat never", () => {
  const nowMs = Date.UTC(2040, 0, 1);
  // More than a millisecond has numbers for, then a clock that was set back.
  const ids = [
    ...Array.from({ length: 10_000 }, () => newTaskId(nowMs)),
    ...Array.from({ length: 10 }, () => newTaskId(nowMs - 60_000)),
    newTaskId(nowMs + 1_000),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt((ids[0] ?? "").replace("-", "").slice(0, 12), 16)).toBe(nowMs);
  expect(Number.parseInt((ids.at(-1) ?? "").replace("-", "").slice(0, 12), 16)).toBe(nowMs + 1_000);
});
