import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { CliContext } from "../cli-context.ts";

/** How long a program may take to end before it is killed: a little more than the server's own limit. */
const STOP_MS = 15_000;

/** Our programs as children of this one: what they print goes to standard error behind their names, and when one ends all end. */
export class Programs {
  readonly #context: CliContext;
  readonly #children: ChildProcess[] = [];
  readonly #ended = new AbortController();
  #failure: string | null = null;

  constructor(context: CliContext) {
    this.#context = context;
    context.signal.addEventListener("abort", () => this.#ended.abort());
  }

  /** Why they ended, where nobody asked for it. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Aborted with Ctrl-C, and when a program ends by itself. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves with the same. */
  get end(): Promise<void> {
    if (this.ended.aborted) return Promise.resolve();
    return new Promise((resolve) => this.ended.addEventListener("abort", () => resolve(), { once: true }));
  }

  start(name: string, args: readonly string[], env: Readonly<Record<string, string>>): void {
    const built = fileURLToPath(new URL(`../../../${name}/dist/main.js`, import.meta.url));
    const [program, first] = existsSync(built) ? [process.execPath, [built]] : [`genai-${name}`, []];
    const child = spawn(program, [...first, ...args], {
      env: { ...this.#context.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on("line", (line) => this.#context.stderr.write(`${name} | ${line}\n`));
    }
    child.once("error", (error) => this.#fail(`${name} can't be started (${error.message}).`));
    child.once("exit", (code, signal) => this.#fail(`${name} ended by itself (${signal ?? code}).`));
    this.#children.push(child);
  }

  /** Ends them, the last first, so that a node leaves while its server is there. */
  async stop(): Promise<void> {
    this.#ended.abort();
    for (const child of this.#children.reverse()) await stopped(child);
  }

  #fail(why: string): void {
    if (this.ended.aborted) return;
    this.#failure = why;
    this.#ended.abort();
  }
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}
