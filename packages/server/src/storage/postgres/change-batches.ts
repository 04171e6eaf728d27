import type { QueryConfig } from "pg";
import type { StoreChange } from "../../tasks/task-store.ts";
import { changeArgument, plain } from "./change-argument.ts";
import type { KnownNames } from "./known-names.ts";

/** The order in which `genai.apply_batches` goes through the kinds of a batch. */
const STEP = {
  taskInserted: 0,
  attemptOpened: 1,
  attemptChanged: 2,
  taskRequeued: 3,
  taskResumed: 3,
  taskSettled: 3,
  claimReleased: 4,
  taskDeleted: 5,
  submissionTakenBack: 5,
} as const satisfies Record<StoreChange["type"], number>;

/** From this kind on a change keeps its place before all that comes behind it: an attempt that goes with its task does not name it. */
const STEP_BEHIND_ALL = STEP.claimReleased;

/** A change as an argument of the database, in JSON without its place in the group. */
export interface PreparedChange {
  readonly change: StoreChange;
  readonly text: string;
}

export function prepareChange(change: StoreChange): PreparedChange {
  return { change, text: JSON.stringify(changeArgument(change)) };
}

/** A group of changes as `genai.apply_batches` takes it: batches by kind, as few as keep the order of what is about the same task,
 *  attempt or key. Most groups are one. Names that the database may not have yet go with the first batch. */
export function changeBatches(changes: readonly PreparedChange[], known: KnownNames): string {
  const batches: string[] = [];
  let kinds = new Map<string, string[]>(Object.entries(known.newOnes(changes.map(({ change }) => change))));
  let steps = new Map<string, number>();
  let lastStep = 0;
  const cut = (): void => {
    if (kinds.size === 0) return;
    batches.push(`{${[...kinds].map(([kind, texts]) => `"${kind}":[${texts.join(",")}]`).join(",")}}`);
    kinds = new Map();
    steps = new Map();
    lastStep = 0;
  };
  const add = (kind: string, text: string): void => {
    const texts = kinds.get(kind);
    if (texts) texts.push(text);
    else kinds.set(kind, [text]);
  };
  for (const [index, { change, text }] of changes.entries()) {
    const step = STEP[change.type];
    const subjects = subjectsOf(change);
    const isBehind = lastStep >= STEP_BEHIND_ALL && step < lastStep;
    if (isBehind || subjects.some((subject) => (steps.get(subject) ?? -1) >= step)) cut();
    for (const subject of subjects) steps.set(subject, step);
    lastStep = Math.max(lastStep, step);
    const placed = `{"n":${index + 1},${text.slice(1)}`;
    add(change.type, placed);
    if (change.type === "taskInserted" && change.idempotency) add("keyed", String(index + 1));
  }
  cut();
  return `[${batches.join(",")}]`;
}

/** The call that applies a group of changes for a server; its one row's `outcomes` is JSON, an `AppliedChange` for each. `behind`: the group
 *  in front of it, where it is not known to be applied; without that this one is not either (`GN003`). */
export function applyQuery(
  groupId: string,
  changes: readonly PreparedChange[],
  known: KnownNames,
  serverId: string,
  behind: string | null = null,
): QueryConfig {
  const values = [groupId, changeBatches(changes, known), changes.length, serverId];
  return behind === null
    ? { name: "apply", text: "SELECT genai.apply_batches($1, $2, $3, $4) AS outcomes", values }
    : {
        name: "apply_behind",
        text: "SELECT genai.apply_behind($1, $2, $3, $4, $5) AS outcomes",
        values: [behind, ...values],
      };
}

/** What the order of a change and others is about. */
function subjectsOf(change: StoreChange): readonly string[] {
  switch (change.type) {
    case "taskInserted": {
      const { task, idempotency } = change;
      return idempotency ? [task.taskId, JSON.stringify([task.userId, idempotency.key].map(plain))] : [task.taskId];
    }
    case "attemptOpened":
      return [change.taskId, change.attemptId];
    case "attemptChanged":
      return [change.attemptId];
    case "claimReleased":
      return change.taskIds;
    default:
      return [change.taskId];
  }
}
