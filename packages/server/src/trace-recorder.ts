import { createWriteStream, openSync, type WriteStream } from "node:fs";
import type { DispatcherInput, DispatcherOptions, StepResult } from "@genai/dispatcher";
import type { Logger } from "pino";
import { ConfigurationError } from "./configuration/configuration.ts";
import type { DispatcherTrace } from "./coordinator/dispatcher-loop.ts";

/** Unwritten text beyond this is dropped, so that a slow disk can't fill the memory; the trace says where. Characters. */
const BACKLOG_MAX = 64 * 1024 * 1024;

/** Writes what is done to the dispatcher as lines of JSON, to be replayed by the simulator: `{options}` for a new one, `{nowMs, input}` for
 *  each input, and after it `{result}` for what came of it. */
export class TraceRecorder implements DispatcherTrace {
  readonly #file: WriteStream;
  #dropped = 0;

  /** Opens the file, to write behind what is in it. Throws {@link ConfigurationError} where that can't be. */
  constructor(path: string, logger: Logger) {
    this.#file = createWriteStream(path, { fd: opened(path) });
    this.#file.on("error", (error) => logger.error({ err: error, path }, "the trace can't be written"));
  }

  started(options: Partial<DispatcherOptions>): void {
    this.#write({ options });
  }

  heard(nowMs: number, input: DispatcherInput): void {
    this.#write({ nowMs, input });
  }

  answered(result: StepResult): void {
    this.#write({ result });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(resolve));
  }

  #write(line: object): void {
    if (this.#file.writableLength > BACKLOG_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      this.#file.write(`${JSON.stringify({ dropped: this.#dropped })}\n`);
      this.#dropped = 0;
    }
    this.#file.write(`${JSON.stringify(line)}\n`);
  }
}

function opened(path: string): number {
  try {
    return openSync(path, "a");
  } catch (error) {
    throw new ConfigurationError(`TRACE_FILE is ${JSON.stringify(path)}, which can't be written.`, { cause: error });
  }
}
