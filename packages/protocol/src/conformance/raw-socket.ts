import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type RawFrame, RawFrameReader, rawFrame } from "./raw-frame.ts";

/** How long a peer may take for its next word before a wait is given up, in milliseconds. */
const WAIT_MS = 30_000;

const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 } as const;

export interface RawSocketOptions {
  /** Of the handshake, beside what it needs. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** False: a peer that leaves pings and goodbyes unanswered. Default true. */
  readonly answers?: boolean;
}

/** One end of a WebSocket without a WebSocket library: it says what it is told to, also what no library would, answers pings unless it is
 *  told not to, and keeps the texts that it hears until somebody asks for them. */
export class RawSocket {
  readonly socket: Socket;
  /** The code of the peer's close frame once the connection is over, or null where none came. */
  readonly closed: Promise<number | null>;
  readonly #masked: boolean;
  readonly #answers: boolean;
  readonly #reader = new RawFrameReader();
  readonly #texts: string[] = [];
  readonly #pongs: (() => void)[] = [];
  #wake: (() => void)[] = [];
  #closeCode: number | null = null;
  #over = false;

  /** `masked`: this end is the client. `head`: bytes that came with the handshake. */
  constructor(
    socket: Socket,
    options: { readonly masked: boolean; readonly head?: Uint8Array; readonly answers?: boolean },
  ) {
    this.socket = socket;
    this.#masked = options.masked;
    this.#answers = options.answers ?? true;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#hear(chunk));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#over = true;
        this.#wakeAll();
        for (const answered of this.#pongs.splice(0)) answered();
        resolve(this.#closeCode);
      });
    });
    if (options.head !== undefined && options.head.length > 0) this.#hear(options.head);
  }

  /** A client's end. Rejects with the answer's status line where the upgrade is refused. */
  static async connect(port: number, { headers = {}, answers = true }: RawSocketOptions = {}): Promise<RawSocket> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    socket.write(handshake(port, headers));
    let answer = Buffer.alloc(0);
    while (!answer.includes("\r\n\r\n")) {
      const [chunk] = (await once(socket, "data", { signal: AbortSignal.timeout(WAIT_MS) })) as [Buffer];
      answer = Buffer.concat([answer, chunk]);
    }
    const [status = ""] = answer.toString("latin1").split("\r\n", 1);
    if (!status.startsWith("HTTP/1.1 101")) {
      socket.destroy();
      throw new Error(status);
    }
    const head = answer.subarray(answer.indexOf("\r\n\r\n") + 4);
    return new RawSocket(socket, { masked: true, head, answers });
  }

  /** A server's end: answers the client's handshake. */
  static accept(socket: Socket, key: string, head: Uint8Array): RawSocket {
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    return new RawSocket(socket, { masked: false, head });
  }

  get isOpen(): boolean {
    return !this.#over;
  }

  /** A text frame: a text as it is, anything else as JSON. */
  say(message: unknown): void {
    this.frame(typeof message === "string" ? message : JSON.stringify(message));
  }

  frame(payload: string | Uint8Array, frame: RawFrame = {}): void {
    this.socket.write(rawFrame(payload, { masked: this.#masked, ...frame }));
  }

  /** The next text frame that was not taken yet. Rejects after 30 s, and where the connection ends first. */
  async nextText(): Promise<string> {
    const givenUpAtMs = performance.now() + WAIT_MS;
    for (;;) {
      const text = this.#texts.shift();
      if (text !== undefined) return text;
      if (this.#over)
        throw new Error(`The connection ended with ${this.#closeCode ?? "no code"} before the next frame.`);
      const leftMs = givenUpAtMs - performance.now();
      if (leftMs <= 0) throw new Error(`No frame came for ${WAIT_MS} ms.`);
      await this.#news(leftMs);
    }
  }

  async next(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.nextText()) as Record<string, unknown>;
  }

  /** The next frame of a type; what comes before it is passed over. */
  async nextOf(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      const frame = await this.next();
      if (frame.type === type) return frame;
    }
  }

  /** Resolves when the peer has read everything that was said before, or is gone: pings are answered in their turn. */
  async settled(): Promise<void> {
    if (this.#over) return;
    const answered = new Promise<void>((resolve) => this.#pongs.push(resolve));
    this.frame("", { opcode: OPCODES.ping });
    await answered;
  }

  /** Texts that came and were not taken. */
  get untaken(): readonly string[] {
    return this.#texts;
  }

  /** Says goodbye in order. */
  close(code = 1000): void {
    this.frame(Buffer.from([code >> 8, code & 0xff]), { opcode: OPCODES.close });
  }

  /** Goes without a word. */
  cut(): void {
    // One that has said its last word is not reset any more: where that word is still on its way Node's reset fails, and then the socket
    // is never closed and never says so.
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  #hear(chunk: Uint8Array): void {
    for (const { opcode, payload } of this.#reader.feed(chunk)) {
      if (opcode === OPCODES.text) this.#texts.push(payload.toString("utf8"));
      else if (opcode === OPCODES.ping) {
        if (this.#answers) this.frame(payload, { opcode: OPCODES.pong });
      } else if (opcode === OPCODES.pong) this.#pongs.shift()?.();
      else if (opcode === OPCODES.close) {
        this.#closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : null;
        if (this.#answers)
          this.socket.end(rawFrame(payload.subarray(0, 2), { opcode: OPCODES.close, masked: this.#masked }));
      }
    }
    this.#wakeAll();
  }

  async #news(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake.push(resolve);
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

/** A client's request for the upgrade, as it goes over the wire. */
export function handshake(port: number, headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    Host: `127.0.0.1:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}
