import { setTimeout as sleep } from "node:timers/promises";
import { V2Task } from "@genai/protocol";
import { z } from "zod";
import { ask } from "./ask.ts";

/** How long a call is tried again while the server is away, in milliseconds. */
const AWAY_MS_MAX = 180_000;

const Stored = z.object({ id: z.string() });

/** A caller that does not give up while the server is away: each submission carries a key, so that a repeat is the same task. */
export class TasksApi {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /** Resolves with the id once the server has said that the task is stored. */
  async submit(pipeline: object, key: string): Promise<string> {
    const headers = { "idempotency-key": key };
    return Stored.parse(await this.#call("/v2/tasks", { method: "POST", headers, json: { pipeline } })).id;
  }

  async task(taskId: string): Promise<V2Task> {
    return V2Task.parse(await this.#call(`/v2/tasks/${taskId}`));
  }

  /** Resolves once a task has ended. */
  async settled(taskId: string): Promise<V2Task> {
    for (;;) {
      const task = await this.task(taskId);
      if (task.settledAt !== null) return task;
      await sleep(100);
    }
  }

  /** The bytes behind a URL that the server handed out. */
  async bytes(url: string): Promise<Uint8Array> {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}.`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  async #call(path: string, options: Parameters<typeof ask>[1] = {}): Promise<unknown> {
    const givenUpAtMs = performance.now() + AWAY_MS_MAX;
    while (performance.now() < givenUpAtMs) {
      const answer = await ask(this.#base + path, { ...options, timeoutMs: 10_000 });
      if (answer !== null) {
        if (answer.status < 300) return answer.body;
        // 408: the server stood still, as its machine did, and had not read the request when it looked.
        if (answer.status < 500 && answer.status !== 429 && answer.status !== 408)
          throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      }
      await sleep(100);
    }
    throw new Error(`${path} was not answered for ${AWAY_MS_MAX} ms.`);
  }
}
