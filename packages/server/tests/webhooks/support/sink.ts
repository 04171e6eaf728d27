import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What a sink was sent. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
}

/** A place where webhooks come in, on a free port of loopback. */
export class Sink implements AsyncDisposable {
  readonly received: Received[] = [];
  /** How it answers. */
  answer: (response: ServerResponse, received: Received) => void = (response) => void response.writeHead(204).end();
  readonly #server: Server;
  #heard: (() => void)[] = [];

  static async start(): Promise<Sink> {
    const sink = new Sink(createServer());
    sink.#server.listen(0, "127.0.0.1");
    await once(sink.#server, "listening");
    return sink;
  }

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", async (request, response) => {
      const received = { headers: request.headers, body: await text(request), atMs: performance.now() };
      this.received.push(received);
      this.answer(response, received);
      for (const tell of this.#heard.splice(0)) tell();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(host = "127.0.0.1"): string {
    return `http://${host}:${this.port}/hook`;
  }

  /** Waits until it has been called so many times. */
  async called(times: number): Promise<void> {
    while (this.received.length < times) await new Promise<void>((resolve) => this.#heard.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
