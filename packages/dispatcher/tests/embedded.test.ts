import { readFile } from "node:fs/promises";
import {
  type Assignment,
  type Clock,
  Declined,
  EmbeddedDispatcher,
  RefusedError,
  TaskError,
  TaskFault,
} from "@genai/dispatcher/embedded";
import { expect, jest, test } from "@jest/globals";

/** A clock that is moved by hand. */
class HandClock implements Clock {
  #nowMs = 0;
  #timer: { readonly atMs: number; readonly run: () => void } | null = null;

  nowMs(): number {
    return this.#nowMs;
  }

  runAt(atMs: number, run: () => void): () => void {
    const timer = { atMs, run };
    this.#timer = timer;
    return () => {
      if (this.#timer === timer) this.#timer = null;
    };
  }

  get armed(): boolean {
    return this.#timer !== null;
  }

  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#timer; timer !== null && timer.atMs <= untilMs; timer = this.#timer) {
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      this.#timer = null;
      timer.run();
    }
    this.#nowMs = untilMs;
  }
}

interface Sent {
  readonly assignment: Assignment<string>;
  readonly resolve: (result: string) => void;
  readonly reject: (error: Error) => void;
}

/** A dispatcher whose transport only notes what it is asked. */
function setup() {
  const clock = new HandClock();
  const sent: Sent[] = [];
  const aborted: string[] = [];
  const dispatcher = new EmbeddedDispatcher<string, string>({
    clock,
    transport: {
      send: (assignment) =>
        new Promise((resolve, reject) => {
          sent.push({ assignment, resolve, reject });
        }),
      abort: ({ taskId, attempt, providerId }, reason) => {
        aborted.push(`${taskId}#${attempt}@${providerId}: ${reason}`);
      },
    },
  });
  const last = () => {
    const latest = sent.at(-1);
    if (latest === undefined) throw new Error("Nothing was sent.");
    return latest;
  };
  return { clock, sent, aborted, dispatcher, last };
}

/** Lets promises that are settled tell those who wait for them. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a task is sent to a provider, and its promise resolves with the result", async () => {
  const { dispatcher, last } = setup();
  dispatcher.addProvider({ providerId: "p1", cost: 2 });
  const result = dispatcher.submit({ taskId: "t1", payload: "a cat" });
  expect(last().assignment).toMatchObject({ taskId: "t1", attempt: 1, providerId: "p1", payload: "a cat", cost: 2 });
  last().resolve("a picture");
  expect(await result).toBe("a picture");
  expect(dispatcher.explain("t1")).toBeNull();
});

test("a task waits for a provider, and the next one for the slot", async () => {
  const { dispatcher, sent } = setup();
  const results = [dispatcher.submit({ taskId: "t1", payload: "" }), dispatcher.submit({ taskId: "t2", payload: "" })];
  expect(sent).toHaveLength(0);
  dispatcher.addProvider({ providerId: "p1" });
  expect(sent).toHaveLength(1);
  sent[0]?.resolve("first");
  await settled();
  expect(sent).toHaveLength(2);
  sent[1]?.resolve("second");
  expect(await Promise.all(results)).toEqual(["first", "second"]);
});

test("what a provider throws is tried elsewhere after a while", async () => {
  const { clock, dispatcher, last, sent } = setup();
  dispatcher.addProvider({ providerId: "p1", cost: 1 });
  dispatcher.addProvider({ providerId: "p2", cost: 2 });
  const result = dispatcher.submit({ taskId: "t1", payload: "" });
  last().reject(new Error("out of memory"));
  await settled();
  expect(sent).toHaveLength(1);
  clock.pass(2_000);
  expect(last().assignment).toMatchObject({ attempt: 2, providerId: "p2" });
  last().resolve("after all");
  expect(await result).toBe("after all");
});

test("a fault of the task itself rejects its promise at once, with the cause", async () => {
  const { dispatcher, last } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "" });
  const fault = new TaskFault("no such node class");
  last().reject(fault);
  const error = await result.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TaskError);
  expect(error).toMatchObject({ taskId: "t1", code: "task_failed", cause: fault });
});

test("a provider that declines is not asked again for half a minute", async () => {
  const { clock, dispatcher, last, sent } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "" });
  last().reject(new Declined("busy with something else"));
  await settled();
  clock.pass(29_999);
  expect(sent).toHaveLength(1);
  clock.pass(1);
  last().resolve("now");
  expect(await result).toBe("now");
});

test("a canceled task is aborted, and its promise rejected", async () => {
  const { aborted, dispatcher } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "" });
  expect(dispatcher.cancel("t1")).toBe(true);
  await expect(result).rejects.toMatchObject({ code: "canceled" });
  expect(aborted).toEqual(["t1#1@p1: canceled"]);
  expect(dispatcher.cancel("t1")).toBe(false);
});

test("what a removed provider had goes to another, and its late result changes nothing", async () => {
  const { aborted, dispatcher, sent } = setup();
  dispatcher.addProvider({ providerId: "p1", cost: 1 });
  dispatcher.addProvider({ providerId: "p2", cost: 2 });
  const result = dispatcher.submit({ taskId: "t1", payload: "", timeToMoneyRatio: 0 });
  dispatcher.removeProvider("p1");
  expect(aborted).toEqual(["t1#1@p1: lost"]);
  expect(sent[1]?.assignment.providerId).toBe("p2");
  sent[0]?.resolve("too late");
  await settled();
  sent[1]?.resolve("in time");
  expect(await result).toBe("in time");
});

test("an attempt past its limit is aborted and counts as a fault", async () => {
  const { aborted, clock, dispatcher } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "", limitMs: 60_000, maxAttempts: 1 });
  clock.pass(59_999);
  expect(aborted).toEqual([]);
  clock.pass(1);
  expect(aborted).toEqual(["t1#1@p1: limit"]);
  await expect(result).rejects.toMatchObject({ code: "attempts_exhausted" });
});

test("a send that takes hours within its limit is not lost: its promise is the sign of life", async () => {
  const { clock, dispatcher, last, sent } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "", limitMs: 20_000_000 });
  clock.pass(19_000_000);
  expect(sent).toHaveLength(1);
  last().resolve("at last");
  expect(await result).toBe("at last");
});

test("a deadline that passes rejects a waiting task", async () => {
  const { clock, dispatcher } = setup();
  const result = dispatcher.submit({ taskId: "t1", payload: "", expiresInMs: 5_000 });
  clock.pass(5_000);
  await expect(result).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("events are told in order, until nobody listens", async () => {
  const { dispatcher, last } = setup();
  const heard: string[] = [];
  const stop = [
    dispatcher.on("sent", ({ taskId, providerId }) => heard.push(`sent ${taskId} to ${providerId}`)),
    dispatcher.on("progress", ({ value }) => heard.push(`progress ${value}`)),
    dispatcher.on("settled", ({ taskId, state }) => heard.push(`settled ${taskId}: ${state}`)),
  ];
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "" });
  last().assignment.progress(0.5);
  last().resolve("done");
  await result;
  for (const end of stop) end();
  void dispatcher.submit({ taskId: "t2", payload: "" }).catch(() => {});
  expect(heard).toEqual(["sent t1 to p1", "progress 0.5", "settled t1: succeeded"]);
  dispatcher.close();
});

test("bad input is refused with the field that is wrong, and a task with a known id leaves the first one alone", async () => {
  const { dispatcher, last } = setup();
  expect(() => dispatcher.addProvider({ providerId: "p1", cost: -1 })).toThrow("provider.cost is -1");
  expect(() => dispatcher.removeProvider("p1")).toThrow(RefusedError);
  await expect(dispatcher.submit({ taskId: "t0", payload: "", maxCost: Number.NaN })).rejects.toMatchObject({
    refusal: { code: "invalid", field: "task.maxCost" },
  });
  dispatcher.addProvider({ providerId: "p1" });
  const result = dispatcher.submit({ taskId: "t1", payload: "first" });
  await expect(dispatcher.submit({ taskId: "t1", payload: "second" })).rejects.toMatchObject({
    refusal: { code: "duplicate_task" },
  });
  last().resolve("of the first");
  expect(await result).toBe("of the first");
});

test("closing aborts what runs, rejects what waits, and leaves no timer", async () => {
  const { aborted, clock, dispatcher } = setup();
  dispatcher.addProvider({ providerId: "p1" });
  const results = ["t1", "t2"].map((taskId) => dispatcher.submit({ taskId, payload: "" }));
  dispatcher.close();
  for (const result of results) await expect(result).rejects.toMatchObject({ code: "closed" });
  expect(aborted).toEqual(["t1#1@p1: withdrawn"]);
  expect(clock.armed).toBe(false);
  await expect(dispatcher.submit({ taskId: "t3", payload: "" })).rejects.toMatchObject({ code: "closed" });
});

test("explain, whatIf and demand answer as the core does", () => {
  const { dispatcher } = setup();
  dispatcher.addProvider({ providerId: "p1", models: ["sdxl"], cost: 3 });
  const task = { taskId: "t1", payload: "", requirements: { models: ["flux"] } };
  expect(dispatcher.whatIf(task)).toMatchObject({ ok: true, impossible: true, best: null });
  void dispatcher.submit(task).catch(() => {});
  expect(dispatcher.explain("t1")?.providers).toMatchObject([{ providerId: "p1", reasons: ["model_missing"] }]);
  expect(dispatcher.demand().classes).toMatchObject([{ waiting: 1, fittingSlots: 0 }]);
  expect(dispatcher.provider("p1")?.freeSlots).toBe(1);
  dispatcher.close();
});

test("the example in the README is this one, and it runs", async () => {
  const example = await readFile(new URL("./support/readme-example.ts", import.meta.url), "utf8");
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
  const log = jest.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import("./support/readme-example.ts");
    expect(log.mock.calls.flat()).toEqual([
      "lighthouse goes to cheap-3060 for 1",
      "a lighthouse, painted by cheap-3060",
    ]);
  } finally {
    log.mockRestore();
  }
});
