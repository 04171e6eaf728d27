import { Callers, expectStatus } from "../support/callers.ts";
import type { Child } from "../support/child.ts";
import { resultUrl } from "../support/legacy-nodes.ts";
import { percentile } from "../support/percentile.ts";
import { usageOf } from "../support/process-usage.ts";
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

/** Tasks before the measurement begins, at least: by then the hot code is compiled. */
const WARM_UP_TASKS_MIN = 2_000;

/** Sends synchronous tasks to a server until `tasks` have come back, `inFlight` at a time. Throws at the first that fails, or
 *  brings another result than its node gave, or comes back twice. */
export async function measureRoundTrip(
  server: Child,
  load: Load,
  { warmUpTasks = WARM_UP_TASKS_MIN, token = "bench" }: { readonly warmUpTasks?: number; readonly token?: string } = {},
): Promise<RoundTrip> {
  const { port } = server;
  await using _nodes = await Script.start(import.meta.resolve("./nodes-process.js"), [
    port,
    load.nodes,
    load.resultBytes,
  ]);
  using callers = await Callers.open(port, load.inFlight);
  const wanted = resultUrl(load.resultBytes);
  const body = v1TaskBody(token);
  const taskIds = new Set<string>();
  const run = (tasks: number) =>
    callers.make(tasks, async (connection) => {
      const answer = await connection.ask("POST", "/v1/images/generation/", body);
      const { task_id, result } = expectStatus(answer, 202) as { task_id: string; result?: { images: string[] } };
      if (result?.images[0] !== wanted) throw new Error(`A task came back with ${answer.body.slice(0, 500)}`);
      taskIds.add(task_id);
    });
  await run(Math.max(warmUpTasks, Math.ceil(load.tasks / 10)));
  taskIds.clear();
  const before = usageOf(server.pid);
  const startedAtMs = performance.now();
  const latencies = await run(load.tasks);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const after = usageOf(server.pid);
  if (taskIds.size !== load.tasks) throw new Error(`${load.tasks} tasks came back with ${taskIds.size} ids.`);
  const usPerTask = (cpuSeconds: number) => (cpuSeconds * 1_000_000) / load.tasks;
  return {
    tasksPerSecond: load.tasks / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuUs: usPerTask(after.cpuSeconds - before.cpuSeconds),
    mainThreadUs: usPerTask(after.mainThreadCpuSeconds - before.mainThreadCpuSeconds),
    residentMb: after.residentMb,
  };
}
