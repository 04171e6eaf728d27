import type { Socket } from "node:net";
import { type LinkFault, NO_FAULT } from "./link-fault.ts";

/** Bytes that a pipe holds before it reads no further, so that the sender feels the fault. */
const HELD_BYTES_MAX = 1024 * 1024;

/** Carries bytes from one socket to another, as badly as it is told to. */
export class FaultyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #held: { readonly chunk: Buffer | null; readonly dueMs: number }[] = [];
  #heldBytes = 0;
  #fault: LinkFault = NO_FAULT;
  #timer: NodeJS.Timeout | null = null;
  #blocked = false;

  constructor(from: Socket, to: Socket, fault: LinkFault) {
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Buffer) => this.#hold(chunk));
    from.on("end", () => this.#hold(null));
    to.on("drain", () => {
      this.#blocked = false;
      this.#pump();
    });
    this.setFault(fault);
  }

  setFault(fault: LinkFault): void {
    this.#fault = fault;
    this.#readOrNot();
    this.#pump();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#held.length = 0;
    this.#blocked = true;
  }

  #hold(chunk: Buffer | null): void {
    const delayMs = this.#fault.type === "delay" ? this.#fault.delayMs : 0;
    this.#held.push({ chunk, dueMs: performance.now() + delayMs });
    this.#heldBytes += chunk?.length ?? 0;
    this.#readOrNot();
    this.#pump();
  }

  #readOrNot(): void {
    if (this.#fault.type === "blackHole" || this.#heldBytes > HELD_BYTES_MAX) this.#from.pause();
    else this.#from.resume();
  }

  #pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#blocked && this.#fault.type !== "blackHole") {
      const first = this.#held[0];
      if (first === undefined) return;
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0) {
        this.#pumpIn(waitMs);
        return;
      }
      if (this.#fault.type === "trickle" && first.chunk !== null) {
        this.#passOneByte(first.chunk, first.dueMs);
        this.#pumpIn(1_000 / this.#fault.bytesPerSecond);
        return;
      }
      this.#held.shift();
      this.#pass(first.chunk);
    }
  }

  #passOneByte(chunk: Buffer, dueMs: number): void {
    this.#held.shift();
    if (chunk.length > 1) this.#held.unshift({ chunk: chunk.subarray(1), dueMs });
    this.#pass(chunk.subarray(0, 1));
  }

  #pass(chunk: Buffer | null): void {
    if (chunk === null) this.#to.end();
    else {
      this.#heldBytes -= chunk.length;
      this.#blocked = !this.#to.write(chunk);
      this.#readOrNot();
    }
  }

  #pumpIn(ms: number): void {
    this.#timer = setTimeout(() => this.#pump(), ms);
  }
}
