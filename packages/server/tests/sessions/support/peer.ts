import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";

/** A node of a test: it says what it is told to and keeps what it hears. */
export class Peer {
  readonly webSocket: WebSocket;
  readonly texts: string[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #waiting: { index: number; resolve: (text: string) => void }[] = [];
  #read = 0;

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    this.closed = new Promise((resolve) => {
      webSocket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    webSocket.on("error", () => {});
    webSocket.on("message", (data) => {
      this.texts.push(String(data));
      for (const waiting of this.#waiting) {
        if (waiting.index === this.texts.length - 1) waiting.resolve(String(data));
      }
    });
  }

  /** Rejects where the upgrade is refused. */
  static async connect(url: string, options: ClientOptions = {}): Promise<Peer> {
    const webSocket = new WebSocket(url, options);
    const peer = new Peer(webSocket);
    await once(webSocket, "open");
    return peer;
  }

  /** The next text frame that was not taken yet. */
  nextText(): Promise<string> {
    const index = this.#read++;
    const there = this.texts[index];
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => {
      this.#waiting.push({ index, resolve });
    });
  }

  async next<Frame = Record<string, unknown>>(): Promise<Frame> {
    return JSON.parse(await this.nextText()) as Frame;
  }

  say(frame: unknown): void {
    this.webSocket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Resolves when the server has read everything that was said before: it answers pings in their turn. */
  async settled(): Promise<void> {
    const pong = once(this.webSocket, "pong");
    this.webSocket.ping();
    await pong;
  }

  close(code = 1000): void {
    this.webSocket.close(code);
  }

  terminate(): void {
    this.webSocket.terminate();
  }
}
