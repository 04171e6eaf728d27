import { scalerPackage, scalerService } from "@genai/protocol/scaler";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { authentication } from "./authentication.ts";
import type { Authenticator } from "./authenticator.ts";
import { createHandlers, type HandlerOptions } from "./handlers.ts";
import { isLocalAddress } from "./listen-address.ts";

export interface ScalerServerOptions extends HandlerOptions {
  readonly authenticator: Authenticator;
  /** `host:port`, port 0 for any free one, or `unix:/path`. */
  readonly address: string;
  readonly tls: TlsFiles | null;
}

/** Contents of PEM files. With `clientCa` only clients that show a certificate of that authority come in. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | null;
}

/** Largest request: 4 MiB, gRPC's own default, stated because it is part of what keeps the scaler up. */
const REQUEST_BYTES_MAX = 4 * 1024 ** 2;
const CLOSE_MS = 10_000;
/** A connection on which nothing is asked for so long is ended. */
const IDLE_MS = 300_000;

/** The listening service, with health, and with reflection where only this machine can ask. */
export class ScalerServer {
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #options: ScalerServerOptions;

  constructor(options: ScalerServerOptions) {
    this.#options = options;
    this.#server = new Server({
      "grpc.max_receive_message_length": REQUEST_BYTES_MAX,
      "grpc.max_concurrent_streams": 2_000,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 20_000,
      "grpc.max_connection_idle_ms": IDLE_MS,
      interceptors: [authentication(options.authenticator, "/scaler_grpc.Scaler/")],
    });
    this.#server.addService(scalerService, createHandlers(options));
    this.#health = new HealthImplementation({ "": "SERVING", "scaler_grpc.Scaler": "SERVING" });
    this.#health.addToServer(this.#server);
    if (isLocalAddress(options.address)) new ReflectionService(scalerPackage).addToServer(this.#server);
  }

  /** Returns the port, or 0 for a Unix socket. Rejects when the address is taken. */
  listen(): Promise<number> {
    const { address, tls } = this.#options;
    const credentials = tls
      ? ServerCredentials.createSsl(
          tls.clientCa,
          [{ cert_chain: tls.cert, private_key: tls.key }],
          tls.clientCa !== null,
        )
      : ServerCredentials.createInsecure();
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
  }

  /** Takes no new calls, lets those under way end for 10 s, and then ends them. */
  async close(): Promise<void> {
    this.#health.setStatus("", "NOT_SERVING");
    this.#health.setStatus("scaler_grpc.Scaler", "NOT_SERVING");
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#server.forceShutdown(), CLOSE_MS);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
