import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Child } from "../support/child.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { percentile } from "../support/percentile.ts";
import { usageOf } from "../support/process-usage.ts";

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
  readonly cpuMsPerThousand: number;
  /** Of it, the thread that runs the event loop. */
  readonly mainThreadMsPerThousand: number;
  readonly residentMb: number;
}

/** Tasks before the measurement begins, at least: by then the hot code is compiled. */
const WARM_UP_TASKS_MIN = 2_000;

const BODY = JSON.stringify({
  token: "bench",
  standardPipeline: {
    prompt: "a lighthouse on a cliff in a storm, oil on canvas, dramatic light, high detail",
    model: "",
    size: { width: 512, height: 512 },
    steps: 20,
  },
});

/** Sends synchronous tasks to a server until `tasks` have come back, `inFlight` at a time. Throws at the first that fails. */
export async function measureRoundTrip(server: Child, load: Load): Promise<RoundTrip> {
  const script = fileURLToPath(new URL("./nodes-process.js", import.meta.url));
  const nodes = fork(script, [String(server.port), String(load.nodes), String(load.resultBytes)]);
  await once(nodes, "message");
  const connections = await Promise.all(Array.from({ length: load.inFlight }, () => HttpConnection.open(server.port)));
  try {
    // First unmeasured: what is measured is a warm server, its code compiled.
    await run(connections, Math.max(WARM_UP_TASKS_MIN, Math.ceil(load.tasks / 10)));
    const before = usageOf(server.pid);
    const startedAtMs = performance.now();
    const latencies = await run(connections, load.tasks);
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const after = usageOf(server.pid);
    return {
      tasksPerSecond: load.tasks / seconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMsPerThousand: ((after.cpuSeconds - before.cpuSeconds) * 1_000_000) / load.tasks,
      mainThreadMsPerThousand: ((after.mainThreadCpuSeconds - before.mainThreadCpuSeconds) * 1_000_000) / load.tasks,
      residentMb: after.residentMb,
    };
  } finally {
    for (const connection of connections) connection.close();
    nodes.disconnect();
    await once(nodes, "exit");
  }
}

async function run(connections: readonly HttpConnection[], tasks: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  let left = tasks;
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) {
        const startedAtMs = performance.now();
        const { status, body } = await connection.ask("POST", "/v1/images/generation/", BODY);
        if (status !== 202) throw new Error(`A task came back as ${status}: ${body}`);
        latencies.push(performance.now() - startedAtMs);
      }
    }),
  );
  return latencies;
}
