import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { root } from "@genai/testing";
import { test } from "@jest/globals";
import { dockerTest } from "./docker.ts";

const run = promisify(execFile);
const runMs = 180_000;

/** How compose is called on this machine: docker's plugin, or the older program of its own; null where neither is there. */
const program = [["docker", "compose"] as const, ["docker-compose"] as const].find(
  ([name, ...first]) => spawnSync(name, [...first, "version"], { stdio: "ignore", timeout: 20_000 }).status === 0,
);

/** `dockerTest` where compose is there too. With CI set it runs in any case, and fails. */
export const composeTest: typeof dockerTest =
  program !== undefined || process.env.CI
    ? dockerTest
    : (name, body, timeoutMs) => test.skip(`${name} [skipped: there is no docker compose]`, body, timeoutMs);

/** Our docker-compose.yml as a project of its own, taken down with its volumes at the end. */
export class Compose implements AsyncDisposable {
  readonly #project: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(project: string, env: Readonly<Record<string, string>>) {
    this.#project = project;
    this.#env = env;
  }

  /** Returns what it printed; throws with its complaint. At most 3 min. */
  async run(...args: readonly string[]): Promise<string> {
    const [name, ...first] = program ?? ["docker-compose"];
    const env = { PATH: process.env.PATH, HOME: "/nonexistent", ...this.#env };
    const all = [...first, "-p", this.#project, ...args];
    const { stdout } = await run(name, all, { cwd: root, env, timeout: runMs, maxBuffer: 16 * 1024 ** 2 });
    return stdout;
  }

  /** The container of a service. */
  async container(service: string): Promise<string> {
    return (await this.run("ps", "-q", service)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("down", "-v", "--timeout", "3");
  }
}
