import { readFileSync } from "node:fs";
import { setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { ConfigError, type ScalerConfig } from "./config.ts";
import { createScaler } from "./create-scaler.ts";
import { Authenticator } from "./grpc/authenticator.ts";
import { ScalerServer, type TlsFiles } from "./grpc/scaler-server.ts";
import { Sweeper } from "./sweeper.ts";

export interface RunningScaler {
  /** 0 where it listens on a Unix socket. */
  readonly port: number;
  close(): Promise<void>;
}

const SWEEP_EVERY_MS = 60_000;

/** Starts the service: it listens, it sweeps, and it ends cleanly. Throws {@link ConfigError} for files that can't be read and an
 *  address that can't be had. */
export async function runScaler(config: ScalerConfig, log: Logger): Promise<RunningScaler> {
  const scaler = createScaler(config);
  const server = new ScalerServer({
    scaler,
    authenticator: new Authenticator(config.SCALER_TOKEN ?? null),
    defaults: {
      image: config.DEFAULT_DOCKER_IMAGE,
      provScript: config.DEFAULT_PROV_SCRIPT,
      nodeToken: config.NODE_TOKEN ?? null,
    },
    onBug: (error) => log.error({ err: error }, "A call met a bug"),
    address: config.GRPC_SERVER_ADDR,
    tls: tlsFiles(config),
  });
  // gRPC writes to standard error by itself. It is quiet until it listens, because what fails until then is told in our own sentence.
  setLogger({ error: () => {} });
  const port = await listen(server, config.GRPC_SERVER_ADDR);
  setLogger({ error: (reason: unknown) => log.warn({ reason: String(reason) }, "gRPC has met a problem") });
  const sweeper = new Sweeper(scaler, log, SWEEP_EVERY_MS);
  if (!config.local && config.TLS_CERT === undefined) {
    log.warn("Calls are not encrypted (SCALER_PLAINTEXT): whoever can listen on this network can read the token");
  }
  log.info({ address: config.GRPC_SERVER_ADDR, port, cluster: config.CLUSTER_ID }, "The scaler listens");
  return {
    port,
    close: async () => {
      sweeper.close();
      scaler.close();
      await server.close();
    },
  };
}

async function listen(server: ScalerServer, address: string): Promise<number> {
  try {
    return await server.listen();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // gRPC puts what the system says in brackets behind a count of its own.
    const [, reason = message] = /errors: \[(.+)\]$/.exec(message) ?? [];
    throw new ConfigError(`GRPC_SERVER_ADDR is ${JSON.stringify(address)}, which can't be had: ${reason}.`);
  }
}

function tlsFiles(config: ScalerConfig): TlsFiles | null {
  if (config.TLS_CERT === undefined || config.TLS_KEY === undefined) return null;
  return {
    cert: readPem("TLS_CERT", config.TLS_CERT),
    key: readPem("TLS_KEY", config.TLS_KEY),
    clientCa: config.TLS_CLIENT_CA === undefined ? null : readPem("TLS_CLIENT_CA", config.TLS_CLIENT_CA),
  };
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`${name}: ${path} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
