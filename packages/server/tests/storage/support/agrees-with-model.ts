import { expect } from "@jest/globals";
import fc from "fast-check";
import type { ClaimRequest, StoreChange, TaskListFilter, TaskStore } from "../../../src/tasks/task-store.ts";
import { artifact, changed, inserted, newTask, opened, requeued, settled, taskIdOf } from "./builders.ts";
import { ModelTaskStore } from "./model-task-store.ts";

/** What a run does: numbers that are read as names within the run, so that shrinking keeps its sense. */
type Command =
  /** Turns that are on their way at once. */
  | { readonly do: "commit"; readonly turns: readonly (readonly Draft[])[] }
  | { readonly do: "tell"; readonly task: number }
  | { readonly do: "claim"; readonly classes: readonly number[]; readonly limit: number; readonly costMin: number };

interface Draft {
  readonly kind: number;
  readonly task: number;
  readonly attempt: number;
  readonly user: number;
  readonly flag: boolean;
  readonly small: number;
}

const draft = fc.record({
  kind: fc.nat(10),
  task: fc.nat(9),
  attempt: fc.integer({ min: 1, max: 4 }),
  user: fc.nat(2),
  flag: fc.boolean(),
  small: fc.integer({ min: -3, max: 6 }),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      turns: fc.array(fc.array(draft, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("tell" as const), task: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      classes: fc.uniqueArray(fc.nat(2), { minLength: 1 }),
      limit: fc.integer({ min: 1, max: 5 }),
      costMin: fc.nat(6),
    }),
  },
);

/** Runs random commands on the store and on the model side by side: outcomes, claims and everything that can be read must agree.
 *  Runs share a store; each has users, classes and ids of its own. The same seed makes the same commands. */
export async function agreesWithModel(
  store: TaskStore,
  { runs, commands, seed }: { readonly runs: number; readonly commands: number; readonly seed: number },
): Promise<void> {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: commands, maxLength: commands }), async (script) => {
      const world = new World(`${++run}`);
      const model = new ModelTaskStore();
      for (const step of script) {
        if (step.do === "commit") {
          const turns = step.turns.map((turn) => turn.map((each) => world.change(each)));
          const outcomes = await Promise.all(turns.map((changes) => store.commit(changes)));
          for (const [index, changes] of turns.entries()) {
            expect(withoutPositions(outcomes[index] ?? [])).toEqual(withoutPositions(await model.commit(changes)));
          }
        } else if (step.do === "tell") {
          const taskId = world.taskIds[step.task] as string;
          expect(await store.tell(taskId)).toBe(await model.tell(taskId));
        } else {
          const request = { ...step, classKeys: step.classes.map((number) => world.classKey(number)) };
          await checkClaim(store, model, request);
        }
      }
      await checkReads(store, model, world);
    }),
    { numRuns: runs, seed },
  );
}

class World {
  readonly #run: string;
  readonly #tasks = Array.from({ length: 10 }, () => taskIdOf());
  readonly #attempts = new Map<string, string>();

  constructor(run: string) {
    this.#run = `${process.pid}-${run}-${Math.random().toString(36).slice(2)}`;
  }

  get users(): readonly string[] {
    return [0, 1, 2].map((number) => `user-${this.#run}-${number}`);
  }

  get taskIds(): readonly string[] {
    return this.#tasks;
  }

  get classKeys(): readonly string[] {
    return [0, 1, 2].map((number) => this.classKey(number));
  }

  classKey(number: number): string {
    return `class-${this.#run}-${number}`;
  }

  change({ kind, task, attempt, user, flag, small }: Draft): StoreChange {
    const taskId = this.#tasks[task] as string;
    const attemptId = this.#attemptId(task, attempt);
    switch (kind) {
      case 0:
      case 1:
      case 2: {
        const createdAtMs = 1_700_000_000_000 + small * 30_000;
        const made = newTask({
          taskId,
          userId: this.users[user] as string,
          createdAtMs,
          priority: small,
          maxCost: Math.abs(small),
        });
        const idempotency = flag ? { key: `${small}`, bodyHash: "h" } : null;
        return inserted(made, { classKey: this.classKey(user), claimed: small % 2 === 0, idempotency });
      }
      case 3:
      case 4:
        return opened(taskId, { attemptId, attempt, cost: Math.abs(small) });
      case 5:
        return flag
          ? changed(attemptId, { gpuMs: attempt * 100 })
          : changed(attemptId, { state: "lost", open: true, gpuMs: attempt * 10 });
      case 6:
        return requeued(taskId, { losses: attempt, failedNodeIds: flag ? ["node-1"] : [] });
      case 7:
        return { type: "taskResumed", taskId, attempt, atMs: 7 };
      case 8:
        return flag
          ? settled(taskId, { artifacts: small > 0 ? [artifact(`attempts/${attemptId}/0`)] : [] })
          : settled(taskId, { state: "failed", attempt: null, error: { code: "task_failed", message: `${small}` } });
      case 9:
        return { type: "submissionTakenBack", taskId };
      default:
        return flag ? { type: "taskDeleted", taskId } : { type: "claimReleased", taskIds: [taskId] };
    }
  }

  #attemptId(task: number, attempt: number): string {
    const name = `${task}/${attempt}`;
    const known = this.#attempts.get(name) ?? crypto.randomUUID();
    this.#attempts.set(name, known);
    return known;
  }
}

/** Which user a claim begins with is an adapter's own affair; all else is not. */
async function checkClaim(store: TaskStore, model: ModelTaskStore, request: ClaimRequest): Promise<void> {
  const eligible = model.eligible(request);
  const claimed = await store.claim(request);
  const available = [...eligible.values()].reduce((sum, queue) => sum + queue.length, 0);
  expect(claimed).toHaveLength(Math.min(request.limit, available));
  const taken = new Map<string, string[]>();
  for (const { task } of claimed) taken.set(task.userId, [...(taken.get(task.userId) ?? []), task.taskId]);
  for (const [userId, queue] of eligible) {
    const ids = taken.get(userId) ?? [];
    expect(ids).toEqual(queue.slice(0, ids.length).map((held) => held.task.taskId));
    // Nobody gets two more than somebody who has one left.
    for (const [otherId, others] of eligible) {
      const got = taken.get(otherId)?.length ?? 0;
      if (got < others.length) expect(ids.length).toBeLessThanOrEqual(got + 1);
    }
  }
  for (const { task } of claimed) {
    const held = model.tasks.get(task.taskId);
    expect(task).toEqual(held?.task);
    if (held) held.claimed = true;
  }
}

async function checkReads(store: TaskStore, model: ModelTaskStore, world: World): Promise<void> {
  for (const taskId of world.taskIds) {
    expect(await store.task(taskId)).toEqual(await model.task(taskId));
    expect(await store.held(taskId)).toEqual(await model.held(taskId));
    expect(await store.pipelineOf(taskId)).toEqual(await model.pipelineOf(taskId));
    expect(await store.attemptsOf(taskId)).toEqual(await model.attemptsOf(taskId));
    expect((await store.eventsOf(taskId, 0, 1_000)).map(withoutPosition)).toEqual(
      (await model.eventsOf(taskId, 0, 1_000)).map(withoutPosition),
    );
  }
  for (const userId of world.users) {
    expect(await store.usageOf(userId)).toEqual(await model.usageOf(userId));
    for (const filter of [
      {},
      { states: ["queued"] },
      { states: ["succeeded", "running"] },
    ] satisfies TaskListFilter[]) {
      expect(await store.tasksOf(userId, filter, 5, null)).toEqual(await model.tasksOf(userId, filter, 5, null));
    }
    const events = await store.eventsOfUser(userId, 0, 1_000);
    expect(events.map(withoutPosition)).toEqual((await model.eventsOfUser(userId, 0, 1_000)).map(withoutPosition));
    expect(events.map((event) => event.position)).toEqual(events.map((event) => event.position).sort((a, b) => a - b));
    for (const key of ["-3", "0", "6"])
      expect(await store.idempotency(userId, key)).toEqual(await model.idempotency(userId, key));
  }
  const own = (await store.backlog()).filter((entry) => world.classKeys.includes(entry.classKey));
  expect(sorted(own)).toEqual(sorted(await model.backlog()));
}

function sorted<Entry extends { readonly classKey: string }>(entries: readonly Entry[]): readonly Entry[] {
  return entries.toSorted((a, b) => a.classKey.localeCompare(b.classKey));
}

function withoutPosition<Event extends { readonly position: number }>({
  position,
  ...event
}: Event): Omit<Event, "position"> {
  return event;
}

function withoutPositions(outcomes: Awaited<ReturnType<TaskStore["commit"]>>): unknown {
  return outcomes.map((outcome) =>
    outcome.type === "applied" && outcome.event ? { ...outcome, event: withoutPosition(outcome.event) } : outcome,
  );
}
