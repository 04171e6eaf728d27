import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One keep-alive HTTP connection that asks one thing at a time, as cheaply as can be: what is measured is the server. */
export class HttpConnection {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #answer: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
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

  ask(method: "GET" | "POST", path: string, body = ""): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      if (this.#socket.destroyed) {
        reject(new Error("The connection was closed."));
        return;
      }
      this.#socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
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
    const bytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + bytes) return;
    const body = this.#buffer.toString("utf8", end + 4, end + 4 + bytes);
    this.#buffer = this.#buffer.subarray(end + 4 + bytes);
    const answer = this.#answer;
    this.#answer = null;
    answer?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}
