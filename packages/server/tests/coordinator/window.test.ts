import { type Requirements, requirementClassKey } from "@genai/dispatcher";
import { expect, test } from "@jest/globals";
import { Window } from "../../src/coordinator/window.ts";
import type { ClaimedTask, ClaimRequest } from "../../src/tasks/task-store.ts";
import { newTask } from "./setup.ts";

const requirements: Requirements = newTask().requirements;
const classKey = requirementClassKey(requirements);

/** What one slot has room for: twice itself and 64. */
const ROOM = 66;

/** A window over a store with a backlog of one class that fits one slot, and a dispatcher in which so many tasks wait. */
function setup(demand: { waiting: number; setAside: number }) {
  const asked: ClaimRequest[] = [];
  const window = new Window(
    {
      backlog: async () => [{ classKey, unclaimed: 1_000 }],
      claim: async (query): Promise<ClaimedTask[]> => {
        asked.push(query);
        return [];
      },
    },
    {
      classDemand: () => ({ ...demand, fittingSlots: 1 }),
      waitingClassesOf: () => 0,
      registerClass: () => {},
      forgetClass: () => {},
    },
  );
  return { window, asked };
}

test("a window full of tasks that nobody may have for now lets others in, up to three times its room", () => {
  const admits = (waiting: number, setAside: number) => {
    const { window } = setup({ waiting, setAside });
    for (let held = 0; held < 4; held++) window.entered(classKey, "ann");
    return window.admits(classKey, "ann");
  };
  expect(admits(ROOM - 1, 0)).toBe(true);
  expect(admits(ROOM, 0)).toBe(false);
  expect(admits(ROOM, 1)).toBe(true);
  expect(admits(4 * ROOM - 1, 4 * ROOM - 1)).toBe(true);
  expect(admits(4 * ROOM, 4 * ROOM)).toBe(false);
});

test.each([
  { waiting: 33, setAside: 0, claims: [33] },
  { waiting: 34, setAside: 0, claims: [] },
  { waiting: 66, setAside: 66, claims: [66] },
  { waiting: 231, setAside: 198, claims: [33] },
  { waiting: 264, setAside: 264, claims: [] },
])("of $waiting tasks, $setAside of them set aside, it claims $claims", async ({ waiting, setAside, claims }) => {
  const { window, asked } = setup({ waiting, setAside });
  await window.open();
  await window.refill(
    () => {},
    () => [],
  );
  expect(asked.map(({ limit }) => limit)).toEqual(claims);
});

test.each([
  { setAside: 197, claims: [{ limit: 1, costMin: 2 }] },
  { setAside: 198, claims: [] },
])("an idle slot asks for a task beside $setAside that are set aside: $claims", async ({ setAside, claims }) => {
  const { window, asked } = setup({ waiting: setAside + ROOM, setAside });
  await window.open();
  await window.refill(
    () => {},
    () => [{ classKey, cost: 2 }],
  );
  expect(asked).toMatchObject(claims);
});
