import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "../fleet/fleet.ts";
import { CutReader, readWhole } from "../streams/cut-reader.ts";
import type { Trial, TrialContext, TrialResult } from "../trial.ts";

/** How long everything may take after the last task has ended, in milliseconds. */
const CATCH_UP_MS_MAX = 120_000;
/** One stream in so many follows all tasks of the user instead of one. */
const USER_SHARE = 5;

/** Streams are cut at random moments and taken up by `Last-Event-ID`, with a kill -9 and a clean restart of the server among it. */
export const streams: Trial<"streams"> = {
  name: "streams",
  onlyStore: "sqlite",
  what: "event streams that are cut at random moments, over a kill and a restart of the server, give every event once and in order",
  options: { streams: { default: 500, what: "streams to read" } },
  run,
};

async function run({ options, random, folder }: TrialContext<"streams">): Promise<TrialResult> {
  // A short lease: attempts that a kill caught on their way are soon given to another.
  await using fleet = await Fleet.start(folder, { nodes: 2, slots: 4, stepMs: 20, environment: { LEASE: "2" } });
  const { server, api } = fleet;
  const userStreams = Math.max(1, Math.floor(options.streams / USER_SHARE));
  const tasks = options.streams - userStreams;
  const userReaders = Array.from(
    { length: userStreams },
    () => new CutReader(`${server.url}/v2/events`, random.fork()),
  );
  for (const reader of userReaders) reader.start();
  await Promise.all(userReaders.map((reader) => reader.begun));
  const taskIds: string[] = [];
  const taskReaders: CutReader[] = [];
  const follow = async (seed: number): Promise<void> => {
    const pipeline = { type: "standard", prompt: "a fox", width: 64, height: 64, steps: 3, seed };
    const taskId = await api.submit(pipeline, `key-${seed}`);
    const reader = new CutReader(`${server.url}/v2/tasks/${taskId}/events`, random.fork());
    taskIds.push(taskId);
    taskReaders.push(reader);
    reader.start();
  };
  const numbers = Array.from({ length: tasks }, (_, number) => number);
  const third = Math.ceil(tasks / 3);
  for (const end of [() => server.kill(), () => server.stop(), null]) {
    await Promise.all(numbers.splice(0, third).map(follow));
    if (end === null) break;
    await end();
    server.start();
    await server.ready();
  }
  for (const taskId of taskIds) await api.settled(taskId);
  const uncut = await Promise.all(taskIds.map((taskId) => readWhole(`${server.url}/v2/tasks/${taskId}/events`, "")));
  const whole = await readWhole(
    `${server.url}/v2/events`,
    "0",
    uncut.reduce((sum, events) => sum + events.length, 0),
  );
  const givenUpAtMs = performance.now() + CATCH_UP_MS_MAX;
  const behind = (): boolean =>
    userReaders.some((reader) => reader.events.length < whole.length) ||
    taskReaders.some((reader, index) => reader.events.length < (uncut[index]?.length ?? 0));
  while (behind() && performance.now() < givenUpAtMs) await sleep(50);
  const readers = [...userReaders, ...taskReaders];
  for (const reader of readers) reader.stop();
  await Promise.all(readers.map((reader) => reader.ended));
  const wrong = [
    ...userReaders.flatMap((reader, index) => differenceOf(`all tasks, reader ${index}`, reader.events, whole)),
    ...taskReaders.flatMap((reader, index) =>
      differenceOf(`task ${taskIds[index]}`, reader.events, uncut[index] ?? []),
    ),
  ];
  return {
    figures: [
      { name: "streams", value: options.streams, bound: "" },
      { name: "of all tasks of the user", value: userStreams, bound: "" },
      { name: "cuts", value: readers.reduce((sum, reader) => sum + reader.cuts, 0), bound: "" },
      { name: "events put together", value: readers.reduce((sum, { events }) => sum + events.length, 0), bound: "" },
      { name: "streams that differ from the uncut ones", value: wrong.length, bound: "0" },
    ],
    violations: wrong,
  };
}

function differenceOf(name: string, seen: readonly string[], wanted: readonly string[]): string[] {
  const at = wanted.findIndex((event, index) => event !== seen[index]);
  if (at < 0 && seen.length === wanted.length) return [];
  const where = at < 0 ? wanted.length : at;
  return [
    `${name}: ${seen.length} of ${wanted.length} events, the first that differs is ${where}: ` +
      `${seen[where] ?? "nothing"} instead of ${wanted[where] ?? "nothing"}`,
  ];
}
