import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { FaultyPipe } from "./faulty-pipe.ts";
import { type LinkFault, NO_FAULT } from "./link-fault.ts";

/** `up`: from whoever connects to the target. */
export type Direction = "up" | "down" | "both";

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  readonly up: FaultyPipe;
  readonly down: FaultyPipe;
}

/** A bad network in one process: stands between a client and a server on loopback, and delays, cuts, swallows, resets or trickles what passes. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: { readonly host: string; readonly port: number };
  #refuses = false;
  #upFault: LinkFault = NO_FAULT;
  #downFault: LinkFault = NO_FAULT;
  #resetAtAnswerTo: string | null = null;
  #answerResets = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    // Half-open links are a fault that is worth having: an end travels on by itself.
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#open(near));
  }

  /** Listens on a free port of 127.0.0.1. */
  static async to(port: number, host = "127.0.0.1"): Promise<TcpProxy> {
    const proxy = new TcpProxy({ host, port });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  /** Where new connections go from now on: the target came back on another port. */
  retarget(port: number, host = "127.0.0.1"): void {
    this.#target = { host, port };
  }

  /** From now on, for the open links and for new ones, until the next call. `heal()` is the same without a fault. */
  setFault(fault: LinkFault, direction: Direction = "both"): void {
    if (direction !== "down") this.#upFault = fault;
    if (direction !== "up") this.#downFault = fault;
    for (const link of this.#links) {
      link.up.setFault(this.#upFault);
      link.down.setFault(this.#downFault);
    }
  }

  heal(): void {
    this.#refuses = false;
    this.setFault(NO_FAULT);
  }

  /** New connections are reset at once until {@link heal}; open ones stay. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resets every link once, when a request that holds `text` has been answered and before the answer gets through. The text has to come
   *  in one piece. */
  resetAtAnswerTo(text: string): void {
    this.#resetAtAnswerTo = text;
  }

  /** How often {@link resetAtAnswerTo} has come true. */
  get answerResets(): number {
    return this.#answerResets;
  }

  /** Ends every open link on both sides, in order (FIN). */
  cut(): void {
    for (const link of [...this.#links]) this.#close(link, (socket) => socket.end(() => socket.destroy()));
  }

  /** Ends every open link on both sides at once (RST). */
  reset(): void {
    for (const link of [...this.#links]) this.#close(link, (socket) => socket.resetAndDestroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of [...this.#links]) this.#close(link, (socket) => socket.destroy());
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #open(near: Socket): void {
    if (this.#refuses) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true });
    for (const socket of [near, far]) socket.setNoDelay(true);
    this.#watchForAnswer(near, far);
    const link: Link = {
      near,
      far,
      up: new FaultyPipe(near, far, this.#upFault),
      down: new FaultyPipe(far, near, this.#downFault),
    };
    this.#links.add(link);
    for (const [socket, other, fault] of [
      [near, far, () => this.#upFault],
      [far, near, () => this.#downFault],
    ] as const) {
      socket.on("error", () => {
        // A black hole swallows a reset too.
        if (fault().type !== "blackHole") other.resetAndDestroy();
      });
      socket.on("close", () => {
        if (near.destroyed && far.destroyed) this.#forget(link);
      });
    }
  }

  /** Has to look before the pipes do, so that it is ahead of what they pass on. */
  #watchForAnswer(near: Socket, far: Socket): void {
    let isAsked = false;
    near.on("data", (chunk: Buffer) => {
      if (this.#resetAtAnswerTo !== null && chunk.includes(this.#resetAtAnswerTo)) isAsked = true;
    });
    far.on("data", () => {
      if (!isAsked) return;
      isAsked = false;
      this.#resetAtAnswerTo = null;
      this.#answerResets += 1;
      this.reset();
    });
  }

  #close(link: Link, end: (socket: Socket) => void): void {
    this.#forget(link);
    end(link.near);
    end(link.far);
  }

  #forget(link: Link): void {
    link.up.stop();
    link.down.stop();
    this.#links.delete(link);
  }
}
