import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { openTaskStore, StoreUnavailable } from "../../../src/storage/index.ts";
import { inserted, newTask } from "./builders.ts";

/** A process with a store of its own, driven over stdin, so that a test can kill it or change what it may do. It answers each line with
 *  one line of JSON. The folder is the first argument; `unprivileged` as the second gives up root first. */
async function serve(): Promise<void> {
  const [home = "", mode = ""] = process.argv.slice(2);
  if (mode === "unprivileged" && process.getuid?.() === 0) process.setuid?.(65_534);
  const answer = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const store = await openTaskStore({ databaseUrl: null, home }).catch((error: Error & { code?: string }) => {
    answer({ refused: error.code, message: error.message });
    process.exit(1);
  });
  answer({ opened: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, argument = ""] = line.split(" ");
    const startedAtMs = performance.now();
    try {
      switch (command) {
        case "insert": {
          const task = newTask({
            taskId: crypto.randomUUID(),
            pipeline: { type: "standard", prompt: "x".repeat(Number(argument)), model: "" },
          });
          await store.commit([inserted(task)]);
          answer({ inserted: task.taskId });
          break;
        }
        case "read":
          answer({ read: (await store.task(argument))?.taskId ?? null });
          break;
        case "ping":
          await store.ping();
          answer({ ping: true });
          break;
        case "break":
          // Its thread ends with the next write, as it does where its memory is full.
          Worker.prototype.postMessage = function (this: Worker) {
            void this.terminate();
          };
          await store.ping();
          break;
        case "close":
          await store.close();
          answer({ closed: true });
          return;
      }
    } catch (error) {
      const outcome = error instanceof StoreUnavailable ? error.outcome : String(error);
      answer({ failed: outcome, message: (error as Error).message, afterMs: performance.now() - startedAtMs });
    }
  }
}

await serve();
