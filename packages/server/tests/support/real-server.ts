import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { readConfiguration } from "../../src/configuration/configuration.ts";
import { readHomeSecrets } from "../../src/configuration/home-secrets.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import type { GatewayLimits } from "../../src/sessions/gateway-limits.ts";

/** The whole server in this process, with its store in a folder of its own, on a free port. */
export class RealServer implements AsyncDisposable {
  readonly #home: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #limits: Partial<GatewayLimits>;
  #running: RunningServer;

  /** `limits`: bounds of nodes' sockets that differ from the usual ones. */
  static async start(
    environment: Readonly<Record<string, string>> = {},
    limits: Partial<GatewayLimits> = {},
  ): Promise<RealServer> {
    const home = await mkdtemp(join(tmpdir(), "genai-server-"));
    const all = {
      HTTP_PORT: "0",
      HOST: "127.0.0.1",
      GENAI_HOME: home,
      ENFORCE_JWT_AUTH: "false",
      RATE_LIMIT: "off",
      ...environment,
    };
    return new RealServer(home, all, limits, await run(all, limits));
  }

  private constructor(
    home: string,
    environment: Readonly<Record<string, string>>,
    limits: Partial<GatewayLimits>,
    running: RunningServer,
  ) {
    this.#home = home;
    this.#environment = environment;
    this.#limits = limits;
    this.#running = running;
  }

  /** The administrator's key that the server made at its first start. */
  get adminKey(): string {
    return readHomeSecrets(this.#home).adminKey;
  }

  get port(): number {
    return this.#running.port;
  }

  /** The folder of its store. */
  get home(): string {
    return this.#home;
  }

  get url(): string {
    return this.#running.url;
  }

  /** Ends it and starts another on the same folder and port. */
  async restart(): Promise<void> {
    const port = String(this.#running.port);
    await this.#running.close();
    this.#running = await run({ ...this.#environment, HTTP_PORT: port }, this.#limits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.close();
    await rm(this.#home, { recursive: true, force: true });
  }
}

async function run(
  environment: Readonly<Record<string, string>>,
  limits: Partial<GatewayLimits>,
): Promise<RunningServer> {
  return await startServer(readConfiguration(environment), pino({ level: "silent" }), { limits });
}
