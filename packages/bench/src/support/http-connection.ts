import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Ends a body that is sent in chunks, whose borders are left in it. */
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");

/** One keep-alive HTTP connection that asks one thing at a time, as cheaply as can be: what is measured is the server. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #buffer: Buffer = Buffer.alloc(0);
  #answer: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#host = `127.0.0.1:${socket.remotePort}`;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#answer?.reject(new Error("The connection was closed."));
      this.#answer = null;
    });
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new HttpConnection(socket);
  }

  ask(
    method: "GET" | "POST",
    path: string,
    body = "",
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      if (this.#socket.destroyed) {
        reject(new Error("The connection was closed."));
        return;
      }
      const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      this.#socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\n${more.join("")}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#buffer.toString("latin1", 0, end);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      if (this.#buffer.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) {
        this.#settle(head, this.#buffer.toString("utf8", end + 4), this.#buffer.length);
      }
      return;
    }
    const bytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + bytes) return;
    this.#settle(head, this.#buffer.toString("utf8", end + 4, end + 4 + bytes), end + 4 + bytes);
  }

  #settle(head: string, body: string, bytes: number): void {
    this.#buffer = this.#buffer.subarray(bytes);
    const answer = this.#answer;
    this.#answer = null;
    answer?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}
