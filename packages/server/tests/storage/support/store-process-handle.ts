import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** This side of `store-process.ts`. */
export class StoreProcess {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(home: string, mode = "") {
    const hooks = new URL("../../../../../.ci/typescript-hooks.js", import.meta.url);
    const script = fileURLToPath(new URL("./store-process.ts", import.meta.url));
    this.#process = spawn(process.execPath, ["--import", hooks.href, script, home, mode]);
    this.#process.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The next line that it says. */
  async answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The store's process has ended.");
    return JSON.parse(value);
  }

  async ask(line: string): Promise<Record<string, unknown>> {
    this.#process.stdin.write(`${line}\n`);
    return await this.answer();
  }

  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  /** Asks for something that ends it, and returns its exit code. */
  async endBy(line: string): Promise<number | null> {
    this.#process.stdin.write(`${line}\n`);
    if (!this.#hasEnded) await once(this.#process, "exit");
    return this.#process.exitCode;
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
