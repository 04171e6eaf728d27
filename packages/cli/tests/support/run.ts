import { Writable } from "node:stream";
import { type ExitCode, runCli } from "@genai/cli";

export interface CliRun {
  readonly exitCode: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Hears everything that is printed to standard output, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a command line inside the test, in a world without a home or an environment. */
export async function genai(args: readonly string[], options: RunOptions = {}): Promise<CliRun> {
  const stdout = new Collected(options.onOutput);
  const stderr = new Collected();
  const exitCode = await runCli(args, {
    env: { HOME: "/nonexistent", ...options.env },
    stdout,
    stderr,
    invocation: "genai-cli",
    signal: options.signal ?? new AbortController().signal,
  });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

class Collected extends Writable {
  text = "";
  readonly #onText: ((text: string) => void) | undefined;

  constructor(onText?: (text: string) => void) {
    super();
    this.#onText = onText;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString("utf8");
    this.#onText?.(chunk.toString("utf8"));
    done();
  }
}
