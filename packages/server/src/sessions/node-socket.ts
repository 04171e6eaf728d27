import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Clock } from "../clock.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import { FrameMeter } from "./frame-meter.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import { writeProgress } from "./write-progress.ts";

/** What the owner of a socket hears. */
export interface NodeSocketListener {
  /** A text frame. None comes after `ended`. */
  text(text: string, byteLength: number): void;
  /** A frame of bytes, which nobody sends here. */
  binary(): void;
  /** Once, as soon as the socket is no longer open. `clean`: the peer said so by a close frame. */
  ended(clean: boolean): void;
}

/** One node's WebSocket with everything that keeps a bad peer from harm: bounded messages, an end to silence, and to readers that
 *  do not read. */
export class NodeSocket {
  /** Where the node reaches this server, without a trailing slash. */
  readonly baseUrl: string;
  readonly address: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #limits: GatewayLimits;
  readonly #clock: Clock;
  readonly #listener: NodeSocketListener;
  readonly #meter = new FrameMeter();
  #registered = false;
  #messageBytesMax: number;
  #ended = false;
  #failed = false;
  #refused = false;
  #paused = false;
  #endReason = "";
  #heard = false;
  #aliveAtMs: number;
  #pingedAtMs: number;
  #tickedAtMs: number;
  #takenBytes = 0;
  #waitingBytes = 0;
  #writeMovedAtMs: number;

  constructor(
    webSocket: WebSocket,
    socket: Socket,
    options: { readonly baseUrl: string; readonly limits: GatewayLimits; readonly clock: Clock },
    listener: NodeSocketListener,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#listener = listener;
    this.baseUrl = options.baseUrl;
    this.address = socket.remoteAddress ?? "unknown";
    this.#messageBytesMax = options.limits.beforeRegisterBytesMax;
    const nowMs = options.clock.monotonicMs();
    this.#aliveAtMs = nowMs;
    this.#writeMovedAtMs = nowMs;
    this.#tickedAtMs = nowMs;
    // Pings of many sockets that came at once (a restart) are spread.
    this.#pingedAtMs = nowMs - Math.random() * options.limits.pingMs;

    // Before ws sees the bytes, and after: a close frame has taken effect then.
    socket.prependListener("data", (chunk: Buffer) => this.#measure(chunk));
    socket.on("data", () => this.#lookForClose(true));
    webSocket.on("message", (data: Buffer, isBinary: boolean) => this.#message(data, isBinary));
    webSocket.on("error", () => {
      this.#failed = true;
    });
    webSocket.on("close", () => this.#end(false));
  }

  get isOpen(): boolean {
    return !this.#ended && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  /** Why it ended, in a few words for the log. */
  get endReason(): string {
    return this.#endReason;
  }

  get unsentBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  /** True once after each time that something was a sign of life. */
  takeHeard(): boolean {
    const heard = this.#heard;
    this.#heard = false;
    return heard;
  }

  /** From now on the peer may send without end, in messages of at most so many bytes. */
  registered(messageBytesMax: number): void {
    this.#registered = true;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Sends a text frame. Compression is for what nodes send: ours are small, or base64 that hardly shrinks. */
  send(text: string): void {
    if (!this.isOpen) return;
    const unsentBytes = this.#webSocket.bufferedAmount;
    this.#webSocket.send(text, { compress: false });
    if (unsentBytes > this.#limits.unsentBytesMax) this.terminate("it does not read what it is sent");
  }

  /** Says goodbye; the socket is ended after `closeMs` whether it is answered or not. */
  close(code: number, reason: string): void {
    this.#endReason ||= reason;
    this.#webSocket.close(code, reason);
    this.#end(false);
  }

  terminate(reason: string): void {
    this.#endReason ||= reason;
    this.#webSocket.terminate();
    this.#end(false);
  }

  /** Reads nothing until {@link resume}. Meanwhile silence says nothing of the peer. */
  pause(): void {
    this.#paused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#aliveAtMs = this.#clock.monotonicMs();
    this.#webSocket.resume();
  }

  /** Looks after pings and ends. To be called every `tickMs`. */
  tick(nowMs: number): void {
    this.#lookForClose(false);
    if (this.#ended) return;
    this.#followWrites(nowMs);
    const { silenceMs, writeStallMs, pingMs } = this.#limits;
    if (nowMs - this.#tickedAtMs > pingMs) this.#forgive(nowMs);
    this.#tickedAtMs = nowMs;
    if (!this.#paused && nowMs - this.#aliveAtMs >= silenceMs) this.terminate(`silent for ${silenceMs} ms`);
    else if (this.#waitingBytes > 0 && nowMs - this.#writeMovedAtMs >= writeStallMs) {
      this.terminate(`it has read nothing for ${writeStallMs} ms`);
    } else if (nowMs - this.#pingedAtMs >= pingMs) {
      this.#pingedAtMs = nowMs;
      // Behind bytes that wait, a ping tells nothing: their own progress is the sign of life.
      if (this.#waitingBytes === 0) this.#webSocket.ping();
    }
  }

  /** This process stood still for longer than from one ping to the next. Nobody was asked, and what came is not read yet: the peer is
   *  asked anew, and has all its time for the answer. */
  #forgive(nowMs: number): void {
    this.#aliveAtMs = nowMs;
    this.#writeMovedAtMs = nowMs;
    this.#pingedAtMs = Number.NEGATIVE_INFINITY;
  }

  #followWrites(nowMs: number): void {
    const { takenBytes, waitingBytes } = writeProgress(this.#socket);
    const moved = takenBytes > this.#takenBytes;
    if (moved || waitingBytes === 0) this.#writeMovedAtMs = nowMs;
    // The kernel takes small writes for a dead peer too; only bytes that had to wait for the peer speak of it.
    if (moved && this.#waitingBytes > 0) this.#alive(nowMs);
    this.#takenBytes = takenBytes;
    this.#waitingBytes = waitingBytes;
  }

  #alive(nowMs: number): void {
    this.#aliveAtMs = nowMs;
    this.#heard = true;
  }

  #measure(chunk: Buffer): void {
    this.#alive(this.#clock.monotonicMs());
    if (this.#refused) chunk.fill(0);
    if (this.#ended) return;
    const meter = this.#meter;
    meter.feed(chunk);
    const { beforeRegisterBytesMax, beforeRegisterCompressedBytesMax } = this.#limits;
    const tooMuch = !this.#registered && meter.totalBytes > beforeRegisterBytesMax;
    const bytesMax = this.#registered || !meter.compressed ? this.#messageBytesMax : beforeRegisterCompressedBytesMax;
    if (!tooMuch && meter.longestBytes <= bytesMax) return;
    this.close(
      CLOSE_CODES.tooLong,
      tooMuch ? `more than ${beforeRegisterBytesMax} bytes before register` : `a message of over ${bytesMax} bytes`,
    );
    this.#refuse(chunk);
  }

  /** What was refused must not be unpacked: ws, which is to see this chunk next, sees nothings. What is still to come stays with
   *  the peer, which hears that this side is done. */
  #refuse(chunk: Buffer): void {
    this.#refused = true;
    chunk.fill(0);
    this.#webSocket.pause();
    this.#socket.end();
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    if (isBinary) this.#listener.binary();
    else if (data.length > this.#messageBytesMax) {
      this.close(CLOSE_CODES.tooLong, `a message of over ${this.#messageBytesMax} bytes`);
    } else this.#listener.text(data.toString("utf8"), data.length);
  }

  #lookForClose(afterData: boolean): void {
    if (!this.#ended && this.#webSocket.readyState !== this.#webSocket.OPEN) this.#end(afterData && !this.#failed);
  }

  #end(clean: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endReason ||= clean ? "the node closed it" : this.#failed ? "a broken frame" : "the connection broke";
    this.#listener.ended(clean);
  }
}
