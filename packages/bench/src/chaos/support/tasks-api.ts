import { setTimeout as sleep } from "node:timers/promises";
import { V2Task } from "@genai/protocol";

/** How long a call is tried again while the server is away, in milliseconds. */
const AWAY_MS_MAX = 180_000;

/** A caller that does not give up while the server is away: each submission carries a key, so that a repeat is the same task. */
export class TasksApi {
  readonly #origin: string;

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`;
  }

  /** Resolves with the id once the server has said that the task is stored. */
  async submit(pipeline: object, key: string): Promise<string> {
    const body = JSON.stringify({ pipeline });
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const answer = await this.#call("/v2/tasks", { method: "POST", headers, body });
    return (JSON.parse(answer) as { id: string }).id;
  }

  async task(taskId: string): Promise<V2Task> {
    return V2Task.parse(JSON.parse(await this.#call(`/v2/tasks/${taskId}`, {})));
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

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.#origin}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
    } catch {
      return false;
    }
  }

  async untilReady(): Promise<void> {
    const givenUpAtMs = performance.now() + AWAY_MS_MAX;
    while (!(await this.isReady())) {
      if (performance.now() > givenUpAtMs) throw new Error(`${this.#origin} is not ready.`);
      await sleep(20);
    }
  }

  async #call(path: string, init: RequestInit): Promise<string> {
    const givenUpAtMs = performance.now() + AWAY_MS_MAX;
    for (;;) {
      try {
        const answer = await fetch(this.#origin + path, { ...init, signal: AbortSignal.timeout(10_000) });
        if (answer.ok) return await answer.text();
        // 408: the server stood still, as its machine did, and had not read the request when it looked.
        if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
          throw new Refused(`${path} answered ${answer.status}: ${await answer.text()}`);
        }
      } catch (error) {
        if (error instanceof Refused) throw error;
      }
      if (performance.now() > givenUpAtMs) throw new Error(`${path} was not answered for ${AWAY_MS_MAX} ms.`);
      await sleep(100);
    }
  }
}

class Refused extends Error {
  override readonly name = "Refused";
}
