import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What goes wrong with answers to paths that match `path`, on purpose. */
export interface HttpFault {
  readonly path: RegExp;
  /** `text500`: plain text with status 500. `empty`: 200 and no body. `cut`: the socket is destroyed inside the body. `hang`: never answered.
   *  `late`: answered when `releaseLate` is called. `huge`: 2 GB that begin as `hugeHead` says. `garbage`: 200 with text that is no JSON. */
  readonly kind: "text500" | "empty" | "cut" | "hang" | "late" | "huge" | "garbage";
  /** Applies this often; default always. */
  times?: number;
}

/** A request with its body read. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export type FakeAnswer = (request: FakeRequest, response: ServerResponse) => void | Promise<void>;

const HUGE_BYTES = 2 * 1024 * 1024 * 1024;
const TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble";

/** An HTTP server that an engine's fake answers on, with faults by path. */
export class FaultyHttpServer {
  readonly faults: HttpFault[] = [];
  readonly requests: FakeRequest[] = [];
  /** Beginning of a `huge` answer; what follows is `A`s. */
  hugeHead = "";
  /** Bytes of huge answers that went out before the client hung up. */
  hugeBytes = 0;
  readonly http: Server;
  readonly url: string;
  readonly #late: (() => void)[] = [];

  private constructor(http: Server, answer: FakeAnswer) {
    this.http = http;
    this.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    http.on(
      "request",
      (request, response) => void this.#answer(request, response, answer).catch(() => response.destroy()),
    );
  }

  /** On a port of the system's choice, or on one where another was before. */
  static async start(answer: FakeAnswer, port = 0): Promise<FaultyHttpServer> {
    const http = createServer().listen(port, "127.0.0.1");
    await once(http, "listening");
    return new FaultyHttpServer(http, answer);
  }

  releaseLate(): void {
    for (const release of this.#late.splice(0)) release();
  }

  /** As if the engine's process was killed: sockets gone, port closed. */
  async kill(): Promise<void> {
    if (!this.http.listening) return;
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse, answer: FakeAnswer): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    const body = await buffer(request);
    const { method = "GET", headers } = request;
    const read = { method, path: pathname, query: searchParams, headers, body };
    this.requests.push(read);
    const fault = this.faults.find(({ path, times }) => path.test(pathname) && times !== 0);
    if (fault?.times !== undefined) fault.times -= 1;
    switch (fault?.kind) {
      case undefined:
        return answer(read, response);
      case "text500":
        response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end(TROUBLE);
        return;
      case "empty":
        response.writeHead(200, { "content-length": "0" }).end();
        return;
      case "garbage":
        response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>not this</title>");
        return;
      case "cut":
        response.writeHead(200, { "content-type": "application/json", "content-length": "100000" });
        response.write('{"images": ["iVBORw0KGgo');
        setImmediate(() => response.destroy());
        return;
      case "hang":
        return;
      case "late":
        await new Promise<void>((resolve) => this.#late.push(resolve));
        return answer(read, response);
      case "huge":
        return this.#sendHuge(response);
    }
  }

  async #sendHuge(response: ServerResponse): Promise<void> {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(this.hugeHead);
    const piece = Buffer.alloc(1024 * 1024, "A");
    let closed = false;
    const gone = once(response, "close").then(() => {
      closed = true;
    });
    while (!closed && this.hugeBytes < HUGE_BYTES) {
      this.hugeBytes += piece.length;
      if (!response.write(piece)) await Promise.race([new Promise((resolve) => response.once("drain", resolve)), gone]);
    }
    response.end();
  }
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}
