import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@genai/protocol/conformance";
import { CutReader, readWhole } from "./streams/cut-reader.ts";
import { Fleet } from "./support/fleet.ts";

export interface StreamsTrialOptions {
  readonly streams: number;
  readonly seed: number;
}

/** How long everything may take after the last task has ended, in milliseconds. */
const CATCH_UP_MS_MAX = 120_000;
/** One stream in so many follows all tasks of the user instead of one. */
const USER_SHARE = 5;

/** Streams are cut at random moments and taken up by `Last-Event-ID`, with a kill -9 and a clean restart of the server among it. Throws
 *  unless each reader's events, put together, are exactly those of a stream that was never cut. */
export async function streamsTrial({ streams, seed }: StreamsTrialOptions): Promise<void> {
  const random = new Random(seed);
  // A short lease: attempts that a kill caught on their way are soon given to another.
  await using fleet = await Fleet.start({ nodes: 2, slots: 4, stepMs: 20, environment: { LEASE: "2" } });
  const origin = `http://127.0.0.1:${fleet.port}`;
  const userStreams = Math.max(1, Math.floor(streams / USER_SHARE));
  const tasks = streams - userStreams;
  const userReaders = Array.from({ length: userStreams }, () => new CutReader(`${origin}/v2/events`, random.fork()));
  for (const reader of userReaders) reader.start();
  await Promise.all(userReaders.map((reader) => reader.begun));
  const taskIds: string[] = [];
  const taskReaders: CutReader[] = [];
  const follow = async (seed: number): Promise<void> => {
    const pipeline = { type: "standard", prompt: "a fox", width: 64, height: 64, steps: 3, seed };
    const taskId = await fleet.api.submit(pipeline, `key-${seed}`);
    const reader = new CutReader(`${origin}/v2/tasks/${taskId}/events`, random.fork());
    taskIds.push(taskId);
    taskReaders.push(reader);
    reader.start();
  };
  const numbers = Array.from({ length: tasks }, (_, number) => number);
  const third = Math.ceil(tasks / 3);
  for (const restart of [() => fleet.server.kill(), () => fleet.server.stop(), null]) {
    await Promise.all(numbers.splice(0, third).map(follow));
    if (restart === null) break;
    await restart();
    fleet.server.start();
    await fleet.api.untilReady();
  }
  for (const taskId of taskIds) await fleet.api.settled(taskId);
  const uncut = await Promise.all(taskIds.map((taskId) => readWhole(`${origin}/v2/tasks/${taskId}/events`, "")));
  const whole = await readWhole(
    `${origin}/v2/events`,
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
  const events = readers.reduce((sum, reader) => sum + reader.events.length, 0);
  const cuts = readers.reduce((sum, reader) => sum + reader.cuts, 0);
  console.info(
    `streams: ${streams} streams (${userStreams} of all tasks), cut ${cuts} times, 2 restarts (one kill -9): ` +
      `${events} events put together, ${wrong.length} streams differ from the uncut ones (seed ${seed})`,
  );
  if (wrong.length > 0) throw new Error(`streams, seed ${seed}:\n  ${wrong.slice(0, 10).join("\n  ")}`);
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
