import { setTimeout } from "node:timers/promises";
import type { ClientLog, LoggedTask } from "./client-log.ts";
import { endOf, readTask, taskIn } from "./task-view.ts";

/** Readers at once. */
const READERS = 16;

/** Holds what the clients were told against what the server says at last: each acknowledged task is there, has ended, and ended as it
 *  was seen to. Waits up to `settleMs` for the last ends. Returns how many ended in which state. */
export async function checkHistory(
  base: string,
  log: ClientLog,
  settleMs: number,
): Promise<Readonly<Record<string, number>>> {
  const givenUpAtMs = performance.now() + settleMs;
  const ends: Record<string, number> = {};
  const left = [...log.tasks];
  const reader = async (): Promise<void> => {
    for (let task = left.pop(); task !== undefined; task = left.pop()) {
      const state = await lastStateOf(base, task, log, givenUpAtMs);
      ends[state] = (ends[state] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return ends;
}

async function lastStateOf(base: string, task: LoggedTask, log: ClientLog, givenUpAtMs: number): Promise<string> {
  for (;;) {
    const answer = await readTask(base, task.taskId, task.token, 0);
    if (answer?.status === 404) {
      log.violation(`Task ${task.taskId} was acknowledged and is not there.`);
      return "missing";
    }
    const view = taskIn(answer);
    const end = view === null ? null : endOf(view);
    if (end !== null) {
      log.saw(task, end);
      return end.state;
    }
    if (performance.now() > givenUpAtMs) {
      log.violation(`Task ${task.taskId} is ${view?.state ?? `unreadable (${answer?.status})`} and does not end.`);
      return view?.state ?? "unreadable";
    }
    await setTimeout(100);
  }
}

/** Holds what the clients were told against what is there now, and waits for no end: each acknowledged task is there, and each end that
 *  was seen still stands. */
export async function checkKept(base: string, log: ClientLog): Promise<void> {
  for (const task of log.tasks) {
    const answer = await readTask(base, task.taskId, task.token, 0);
    const view = taskIn(answer);
    if (view === null) {
      log.violation(`Task ${task.taskId} was acknowledged, and reading it is answered with ${answer?.status}.`);
      continue;
    }
    const end = endOf(view);
    if (end !== null) log.saw(task, end);
    else if (task.end !== null) log.violation(`Task ${task.taskId} was seen ${task.end.state} and is ${view.state}.`);
  }
}
