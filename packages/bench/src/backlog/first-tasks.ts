import { once } from "node:events";
import { WebSocket } from "ws";

/** How long the tasks may take to come, in milliseconds. */
const WAIT_MS_MAX = 120_000;

/** One node that joins and does `count` tasks, each as soon as it comes. Tells when the first came, on `performance.now()`. Throws
 *  where a task comes twice or too few come. */
export async function firstTasks(port: number, count: number): Promise<{ readonly firstAtMs: number }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const taskIds = new Set<string>();
  let firstAtMs = Number.NaN;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    const late = (): void => reject(new Error(`${taskIds.size} of ${count} tasks came within ${WAIT_MS_MAX} ms.`));
    setTimeout(late, WAIT_MS_MAX).unref();
    socket.on("message", (data) => {
      const { taskId } = JSON.parse(String(data)) as { taskId: string };
      if (taskIds.size === 0) firstAtMs = performance.now();
      if (taskIds.has(taskId)) reject(new Error(`Task ${taskId} came twice.`));
      taskIds.add(taskId);
      const resultsUrl = ["https://pictures.example/1.png"];
      socket.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl }));
      if (taskIds.size === count) finish();
    });
  });
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "register", node_id: "bench-node", metadata: { models: [] } }));
  try {
    await done;
  } finally {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  }
  return { firstAtMs };
}
