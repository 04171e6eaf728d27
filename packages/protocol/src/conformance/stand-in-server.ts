import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { RawSocket } from "./raw-socket.ts";

/** A server of a test that says only what it is told to: it takes the connections of nodes and keeps the hashes of what they upload. */
export class StandInServer implements AsyncDisposable {
  /** SHA-256 of each upload by its path. */
  readonly uploads = new Map<string, string>();
  readonly #server: Server;
  readonly #connections: RawSocket[] = [];
  readonly #untaken: RawSocket[] = [];
  #waiting: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((request, response) => void this.#upload(request, response));
    this.#server.on("upgrade", (request, socket, head) => {
      const key = request.headers["sec-websocket-key"] ?? "";
      const connection = RawSocket.accept(socket as Socket, key, head);
      this.#connections.push(connection);
      this.#untaken.push(connection);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    });
  }

  static async start(): Promise<StandInServer> {
    const server = new StandInServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next connection that was not taken yet. */
  async connection(): Promise<RawSocket> {
    for (;;) {
      const connection = this.#untaken.shift();
      if (connection !== undefined) return connection;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.cut();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = createHash("sha256");
    for await (const chunk of request) hash.update(chunk as Buffer);
    this.uploads.set(request.url ?? "", hash.digest("hex"));
    response.writeHead(201).end();
  }
}
