import { setImmediate, setTimeout } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { CommitLoop } from "../../src/coordinator/commit-loop.ts";
import type { PendingChange } from "../../src/coordinator/pending-change.ts";
import { type ChangeOutcome, type StoreChange, StoreUnavailable } from "../../src/tasks/task-store.ts";
import { changed, inserted, newTask } from "../storage/support/builders.ts";

/** `COMMIT_RUNS=20000` is a long form, `SEED=…` draws other histories. */
const RUNS = Number(process.env.COMMIT_RUNS ?? 1_000);
const SEED = Number(process.env.SEED ?? 1);

/** Retries of a history take a second or two; more is a machine that others use. */
const SETTLE_MS_MAX = 90_000;

/** `Asked`: its outcome is unknown until the store is asked. `Unknown`: the store cannot find it out. */
type End = "stored" | "rolledBack" | "storedUnknown" | "lostUnknown" | "storedAsked" | "lostAsked";

type Step =
  | { readonly do: "submit" }
  | { readonly do: "change" }
  | { readonly do: "giveUp"; readonly which: number }
  | { readonly do: "turn" }
  | { readonly do: "pause" }
  | { readonly do: "end"; readonly how: End };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("submit" as const) }),
  fc.record({ do: fc.constant("change" as const) }),
  fc.record({ do: fc.constant("giveUp" as const), which: fc.nat(3) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  fc.record({ do: fc.constant("pause" as const) }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      how: fc.constantFrom<End>(
        "stored",
        "stored",
        "rolledBack",
        "storedUnknown",
        "lostUnknown",
        "storedAsked",
        "lostAsked",
      ),
    }),
  },
);

/** A store as its contract has it: turns in their order, and a failure takes those along that were asked for before it was known. */
class ScriptedStore {
  /** Ids of what was applied, in order; removals without their sign are not among them. */
  readonly applied: string[] = [];
  readonly tasks = new Set<string>();
  /** Of what was in a commit that the store can say the outcome of, what was applied once more. */
  readonly appliedAgain: string[] = [];
  readonly #known = new Set<string>();
  readonly #asked: {
    readonly changes: readonly StoreChange[];
    readonly resolve: (outcomes: readonly ChangeOutcome[]) => void;
    readonly reject: (error: StoreUnavailable) => void;
  }[] = [];

  async ping(): Promise<void> {}

  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    return new Promise((resolve, reject) => this.#asked.push({ changes, resolve, reject }));
  }

  end(how: End): void {
    const turn = this.#asked.shift();
    if (turn === undefined) return;
    const isStored = how === "stored" || how === "storedUnknown" || how === "storedAsked";
    const outcomes = isStored ? turn.changes.map((change) => this.#apply(change, how === "storedAsked")) : [];
    if (how === "stored") {
      turn.resolve(outcomes);
      return;
    }
    let isAway = true;
    const whatBecame = async (): Promise<readonly ChangeOutcome[] | null> => {
      if (isAway) {
        isAway = false;
        throw new StoreUnavailable("still away", "rolled_back");
      }
      return isStored ? outcomes : null;
    };
    const asked = how === "storedAsked" || how === "lostAsked" ? { whatBecame } : {};
    turn.reject(new StoreUnavailable("away", how === "rolledBack" ? "rolled_back" : "unknown", asked));
    for (const { reject } of this.#asked.splice(0)) reject(new StoreUnavailable("behind", "rolled_back"));
  }

  #apply(change: StoreChange, isKnown: boolean): ChangeOutcome {
    const id = change.type === "attemptChanged" ? change.attemptId : "";
    if (this.#known.has(id)) this.appliedAgain.push(id);
    if (isKnown && id !== "") this.#known.add(id);
    if (change.type === "taskInserted") {
      this.tasks.add(change.task.taskId);
      this.applied.push(change.task.taskId);
    } else if (change.type === "submissionTakenBack") this.tasks.delete(change.taskId);
    else if (change.type === "attemptChanged") this.applied.push(change.attemptId);
    return { type: "applied", event: null };
  }
}

interface Told {
  readonly id: string;
  readonly how: "committed" | "abandoned";
}

async function play(steps: readonly Step[]): Promise<void> {
  const store = new ScriptedStore();
  const loop = new CommitLoop(store, { nowMs: () => 0, onOutage: () => undefined });
  const added: string[] = [];
  const told: Told[] = [];
  const submissions: PendingChange[] = [];
  const tellers = (id: string) => ({
    committed: () => void told.push({ id, how: "committed" }),
    abandoned: () => void told.push({ id, how: "abandoned" }),
  });
  for (const each of steps) {
    if (each.do === "submit") {
      const task = newTask();
      const submission = { change: inserted(task), ...tellers(task.taskId) };
      added.push(task.taskId);
      submissions.push(submission);
      loop.change(submission);
    } else if (each.do === "change") {
      const id = crypto.randomUUID();
      added.push(id);
      loop.change({ change: changed(id), committed: tellers(id).committed });
    } else if (each.do === "giveUp") {
      const submission = submissions.at(-1 - each.which);
      if (submission !== undefined) loop.giveUp(submission);
    } else if (each.do === "turn") await setImmediate();
    // Long enough for what failed to be tried again meanwhile.
    else if (each.do === "pause") await setTimeout(60);
    else store.end(each.how);
  }
  let settled = false;
  const over = loop.settled().then(() => {
    settled = true;
  });
  const endAtMs = performance.now() + SETTLE_MS_MAX;
  while (!settled) {
    if (performance.now() > endAtMs) throw new Error("it never settles");
    store.end("stored");
    await setImmediate();
  }
  await over;
  loop.close();

  const committed = told.filter(({ how }) => how === "committed").map(({ id }) => id);
  const abandoned = told.filter(({ how }) => how === "abandoned").map(({ id }) => id);
  const submitted = new Set(
    submissions.map(({ change }) => (change.type === "taskInserted" ? change.task.taskId : "")),
  );
  // Each is told once, and told in the order in which it was handed in.
  expect([...committed, ...abandoned].sort()).toEqual([...added].sort());
  expect(committed).toEqual(added.filter((id) => committed.includes(id)));
  // Only what may be given up is, and it is not in the store; everything else is.
  expect(abandoned.filter((id) => !submitted.has(id))).toEqual([]);
  expect([...store.tasks].sort()).toEqual(committed.filter((id) => submitted.has(id)).sort());
  expect(committed.filter((id) => !store.applied.includes(id))).toEqual([]);
  // What the store can say of a commit is not written twice.
  expect(store.appliedAgain).toEqual([]);
  // What is tried again comes behind what was before it, and before what was behind it.
  const last = (id: string): number => store.applied.lastIndexOf(id);
  expect(committed.toSorted((a, b) => last(a) - last(b))).toEqual(committed);
}

test("however commits end, everything is applied and told once and in order, and what was given up is not kept", async () => {
  const histories = fc.sample(fc.array(step, { minLength: 10, maxLength: 60 }), { numRuns: RUNS, seed: SEED });
  const failures: unknown[] = [];
  await Promise.all(
    histories.map((steps, index) =>
      play(steps).catch((error: unknown) =>
        failures.push(new Error(`history ${index} of SEED=${SEED}`, { cause: error })),
      ),
    ),
  );
  if (failures.length > 0) throw failures[0];
  console.info(`SEED=${SEED}, ${RUNS} histories of up to 60 steps`);
}, 120_000);
