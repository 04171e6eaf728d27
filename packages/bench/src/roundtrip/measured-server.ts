import { Callers, expectStatus } from "../support/callers.ts";
import type { Child } from "../support/child.ts";
import { resultUrl } from "../support/legacy-nodes.ts";
import { percentile } from "../support/percentile.ts";
import { type ProcessUsage, usageOf } from "../support/process-usage.ts";
import { Script } from "../support/script.ts";
import { v1TaskBody } from "../support/v1-task.ts";

export interface Load {
  readonly tasks: number;
  readonly inFlight: number;
  readonly nodes: number;
  readonly resultBytes: number;
}

export interface RoundTrip {
  readonly tasksPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the server's process for a task, in microseconds. */
  readonly cpuUs: number;
  /** Of it, the thread that runs the event loop. */
  readonly mainThreadUs: number;
  readonly residentMb: number;
}

/** A server with its nodes, measured slice by slice, so that several can be in turn. */
export class MeasuredServer implements AsyncDisposable {
  readonly #server: Child;
  readonly #nodes: Script;
  readonly #load: Load;
  readonly #body: string;
  readonly #latencies: number[] = [];
  readonly #taskIds = new Set<string>();
  #seconds = 0;
  #cpuSeconds = 0;
  #mainThreadCpuSeconds = 0;

  private constructor(server: Child, nodes: Script, load: Load, token: string) {
    this.#server = server;
    this.#nodes = nodes;
    this.#load = load;
    this.#body = v1TaskBody(token);
  }

  /** Brings nodes to a server, which is this one's from now on. */
  static async start(server: Child, load: Load, token: string): Promise<MeasuredServer> {
    try {
      const script = import.meta.resolve("./nodes-process.js");
      const nodes = await Script.start(script, [server.port, load.nodes, load.resultBytes]);
      return new MeasuredServer(server, nodes, load, token);
    } catch (error) {
      await server.end();
      throw error;
    }
  }

  /** Sends tasks that are not measured. */
  async warmUp(tasks: number): Promise<void> {
    await this.#send(tasks);
  }

  /** Sends synchronous tasks until `tasks` have come back, `inFlight` at a time. Throws at the first that fails, or brings another
   *  result than its node gave, or comes back twice. */
  async slice(tasks: number): Promise<void> {
    const before = this.#usage();
    const startedAtMs = performance.now();
    const latencies = await this.#send(tasks, this.#taskIds);
    this.#seconds += (performance.now() - startedAtMs) / 1_000;
    const after = this.#usage();
    this.#cpuSeconds += after.cpuSeconds - before.cpuSeconds;
    this.#mainThreadCpuSeconds += after.mainThreadCpuSeconds - before.mainThreadCpuSeconds;
    this.#latencies.push(...latencies);
    if (this.#taskIds.size !== this.#latencies.length) {
      throw new Error(`${this.#latencies.length} tasks came back with ${this.#taskIds.size} ids.`);
    }
  }

  /** Over all slices. */
  roundTrip(): RoundTrip {
    const tasks = this.#latencies.length;
    const usPerTask = (cpuSeconds: number) => (cpuSeconds * 1_000_000) / tasks;
    return {
      tasksPerSecond: tasks / this.#seconds,
      p50Ms: percentile(this.#latencies, 0.5),
      p99Ms: percentile(this.#latencies, 0.99),
      cpuUs: usPerTask(this.#cpuSeconds),
      mainThreadUs: usPerTask(this.#mainThreadCpuSeconds),
      residentMb: this.#usage().residentMb,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nodes[Symbol.asyncDispose]();
    await this.#server.end();
  }

  #usage(): ProcessUsage {
    return usageOf(this.#server.pid);
  }

  async #send(tasks: number, taskIds?: Set<string>): Promise<readonly number[]> {
    // New ones for each slice: a server ends connections that lie idle for some seconds.
    using callers = await Callers.open(this.#server.port, this.#load.inFlight);
    const wanted = resultUrl(this.#load.resultBytes);
    return await callers.make(tasks, async (connection) => {
      const answer = await connection.ask("POST", "/v1/images/generation/", this.#body);
      const { task_id, result } = expectStatus(answer, 202) as { task_id: string; result?: { images: string[] } };
      if (result?.images[0] !== wanted) throw new Error(`A task came back with ${answer.body.slice(0, 500)}`);
      taskIds?.add(task_id);
    });
  }
}
