import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A script of ours in a process of its own, which says one word when it is ready and ends when this process lets go of it. */
export class Script implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Starts it and waits until it is ready. */
  static async start(url: string, args: readonly (string | number)[]): Promise<Script> {
    const script = new Script(fork(new URL(url), args.map(String)));
    const ended = once(script.#process, "exit").then(() => {
      throw new Error(`${url} ended before it was ready.`);
    });
    await Promise.race([once(script.#process, "message"), ended]);
    ended.catch(() => undefined);
    return script;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }
}

/** The script's own side: it is ready, and ends with the process that started it. */
export function scriptReady(): void {
  process.once("disconnect", () => process.exit(0));
  process.send?.("ready");
}
