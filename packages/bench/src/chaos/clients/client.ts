import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Random } from "@genai/protocol/conformance";
import { z } from "zod";
import { type Answer, ask } from "./ask.ts";
import type { ClientLog, LoggedTask } from "./client-log.ts";
import { endOf, readTask, taskIn } from "./task-view.ts";

const V1Answer = z.object({ task_id: z.string() });

/** One caller, who submits one task after the other in different ways, waits for each end, and writes down what it was told. */
export class Client {
  readonly #base: string;
  readonly #token: string;
  readonly #random: Random;
  readonly #log: ClientLog;
  readonly #over: AbortSignal;

  /** `over` ends what waits: no more answers are expected. */
  constructor(base: string, token: string, random: Random, log: ClientLog, over: AbortSignal) {
    this.#base = base;
    this.#token = token;
    this.#random = random;
    this.#log = log;
    this.#over = over;
  }

  /** Submits until `enough` says so, and sees each task through. */
  async run(enough: () => boolean): Promise<void> {
    while (!enough() && !this.#over.aborted) {
      const task = await this.#submit();
      if (task !== null) await this.#follow(task);
    }
  }

  /** Null where the answer never came and the call could not be repeated. */
  #submit(): Promise<LoggedTask | null> {
    const way = this.#random.next();
    if (way < 0.3) return this.#submitV1("/v1/tasks/", 201);
    if (way < 0.4) return this.#submitV1("/v1/images/generation/", 202);
    return this.#submitV2(way < 0.6);
  }

  /** A repeat after a lost answer is the same task, by its key. */
  async #submitV2(withWebhook: boolean): Promise<LoggedTask | null> {
    const key = randomUUID();
    const json = {
      pipeline: { type: "standard", prompt: `a lighthouse, ${key}`, width: 64, height: 64, steps: 2 },
      ...(withWebhook && { webhook: "https://hooks.example/ended" }),
    };
    const headers = { authorization: `Bearer ${this.#token}`, "idempotency-key": key };
    for (let tries = 0; !this.#over.aborted; tries++) {
      const answer = await ask(`${this.#base}/v2/tasks`, { method: "POST", headers, json });
      const view = taskIn(answer);
      if (view !== null) {
        if (tries === 0 && answer?.status === 200) this.#log.violation(`The new key ${key} was taken for a repeat.`);
        return this.#log.acknowledged(view.id, this.#token);
      }
      await this.#refused(answer);
    }
    return null;
  }

  async #submitV1(path: string, status: number): Promise<LoggedTask | null> {
    const json = { token: this.#token, standardPipeline: { prompt: "a lighthouse", steps: 2 } };
    const answer = await ask(`${this.#base}${path}`, { method: "POST", json, timeoutMs: 70_000 });
    // 504: not done in time, but stored.
    const body = answer?.status === status || answer?.status === 504 ? V1Answer.safeParse(answer.body) : null;
    if (body?.success) return this.#log.acknowledged(body.data.task_id, this.#token);
    if (answer === null) this.#log.unanswered += 1;
    await this.#refused(answer);
    return null;
  }

  async #follow(task: LoggedTask): Promise<void> {
    if (this.#random.next() < 0.05) await this.#cancel(task);
    while (!this.#over.aborted) {
      const answer = await readTask(this.#base, task.taskId, this.#token, 5);
      const view = taskIn(answer);
      const end = view === null ? null : endOf(view);
      if (end !== null) {
        this.#log.saw(task, end);
        return;
      }
      if (answer !== null && answer.status >= 400 && answer.status < 500) {
        this.#log.violation(`Task ${task.taskId} was acknowledged, and reading it is answered with ${answer.status}.`);
        return;
      }
      if (view === null) await this.#refused(answer);
    }
  }

  async #cancel(task: LoggedTask): Promise<void> {
    const answer = await ask(`${this.#base}/v2/tasks/${task.taskId}/cancel`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const view = taskIn(answer);
    if (view?.state === "canceled") task.canceled = true;
  }

  async #refused(answer: Answer | null): Promise<void> {
    if (answer !== null && answer.status >= 500 && answer.status !== 503) {
      this.#log.violation(`A call was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    if (answer?.status === 503) this.#log.refusal(answer.afterMs, answer.headers.has("retry-after"));
    await setTimeout(this.#random.between(20, 120));
  }
}
