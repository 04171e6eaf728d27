import { createHash, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { V2Node, V2Task } from "@genai/protocol";
import { until } from "@genai/testing";
import { type DecodedPng, decodePng } from "./decode-png.ts";

/** What a task is to draw. */
export interface Order {
  readonly prompt: string;
  readonly width?: number;
  readonly height?: number;
  readonly steps?: number;
}

const finalStates: readonly string[] = ["succeeded", "failed", "canceled"];
const callMs = 10_000;
const retryMs = 100;

/** A caller of the public API, as stubborn as a good one is: it sends a task again, with its key, until it was taken. */
export class TaskCaller {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `token`: the caller's JWT; null for a server that asks for none. */
  constructor(url: string, token: string | null = null) {
    this.#url = url;
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** Returns the task's id. A server that is away for up to a minute is waited for. */
  async submit({ prompt, width = 64, height = 64, steps = 4 }: Order): Promise<string> {
    const body = JSON.stringify({ pipeline: { type: "standard", prompt, width, height, steps } });
    const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
    const answer = await this.#insistently("POST", "/v2/tasks", { headers, body });
    return V2Task.pick({ id: true }).parse(await answer.json()).id;
  }

  async task(id: string): Promise<V2Task> {
    return V2Task.parse(await (await this.#insistently("GET", `/v2/tasks/${id}`, {})).json());
  }

  /** Waits until every one of these has ended. */
  async ended(ids: readonly string[], limitMs: number): Promise<readonly V2Task[]> {
    const endAtMs = performance.now() + limitMs;
    const tasks: V2Task[] = [];
    for (const id of ids) {
      tasks.push(
        await until(
          `task ${id} ends`,
          async () => {
            const task = await this.task(id);
            return finalStates.includes(task.state) && task;
          },
          endAtMs - performance.now(),
        ),
      );
    }
    return tasks;
  }

  /** Waits until a node works on a task and returns the node's id. */
  runningOn(id: string, limitMs = 30_000): Promise<string> {
    return until(
      `task ${id} runs`,
      async () => {
        const { state, attempts } = await this.task(id);
        if (finalStates.includes(state)) throw new Error(`Task ${id} ended as ${state} before anybody looked.`);
        return attempts.find((attempt) => ["accepted", "running"].includes(attempt.state))?.nodeId ?? null;
      },
      limitMs,
    );
  }

  async nodes(): Promise<readonly V2Node[]> {
    const answer: unknown = await (await this.#insistently("GET", "/v2/nodes", {})).json();
    return (answer as { nodes: unknown[] }).nodes.map((node) => V2Node.parse(node));
  }

  /** Waits until exactly these nodes can be given work. */
  async online(ids: readonly string[], limitMs = 60_000): Promise<void> {
    const wanted = [...ids].sort().join(" ");
    await until(
      `online are ${wanted}`,
      async () => {
        const online = (await this.nodes()).filter(({ state }) => ["idle", "busy"].includes(state));
        const names = online.map(({ id }) => id).sort();
        return names.join(" ") === wanted;
      },
      limitMs,
    );
  }

  /** Fetches the one picture of a task, compares it with its digest and decodes it. */
  async picture(task: V2Task): Promise<DecodedPng> {
    const [artifact] = task.result?.artifacts ?? [];
    if (!artifact) throw new Error(`Task ${task.id} has no picture.`);
    const answer = await this.#insistently("GET", new URL(artifact.url, this.#url).href, {});
    const bytes = Buffer.from(await answer.arrayBuffer());
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (sha256 !== artifact.sha256) throw new Error(`The picture of task ${task.id} is not the one that was made.`);
    return decodePng(bytes);
  }

  async #insistently(
    method: string,
    path: string,
    { headers, body = null }: { headers?: Readonly<Record<string, string>>; body?: string | null },
  ): Promise<Response> {
    const endAtMs = performance.now() + 60_000;
    for (;;) {
      try {
        const answer = await fetch(new URL(path, this.#url), {
          method,
          headers: { ...this.#headers, ...headers },
          body,
          signal: AbortSignal.timeout(callMs),
        });
        if (answer.ok) return answer;
        const text = await answer.text();
        if (answer.status < 500) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
      } catch (error) {
        // By name, because jest's world has another TypeError than fetch.
        const away = ["TypeError", "TimeoutError"].includes((error as Error).name);
        if (!away || performance.now() > endAtMs) throw error;
      }
      await pause(retryMs);
    }
  }
}
