import { createWriteStream, type WriteStream } from "node:fs";
import type { DispatcherInput } from "@genai/dispatcher";
import type { Logger } from "pino";

/** Unwritten text beyond this is dropped, so that a slow disk can't fill the memory; the trace says where. Characters. */
const BACKLOG_MAX = 64 * 1024 * 1024;

/** Writes every input of the dispatcher as a line of JSON, `{nowMs, input}`, to be replayed by the simulator. */
export class TraceRecorder {
  readonly #file: WriteStream;
  #dropped = 0;

  constructor(path: string, logger: Logger) {
    this.#file = createWriteStream(path, { flags: "a" });
    this.#file.on("error", (error) => logger.error({ err: error, path }, "the trace can't be written"));
  }

  record(nowMs: number, input: DispatcherInput): void {
    if (this.#file.writableLength > BACKLOG_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      this.#file.write(`${JSON.stringify({ nowMs, dropped: this.#dropped })}\n`);
      this.#dropped = 0;
    }
    this.#file.write(`${JSON.stringify({ nowMs, input })}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(resolve));
  }
}
