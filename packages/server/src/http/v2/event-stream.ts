import type { Response } from "express";

/** What ends a stream, apart from its reader. */
export interface StreamLife {
  /** Fires when the server stops. */
  readonly stopping: AbortSignal;
  /** How often a comment is sent, so that proxies keep the connection and dead ones are found, and how often {@link isWelcome} is asked. In
   *  milliseconds. */
  readonly keepAliveMs: number;
  /** False once the reader's token is not accepted any more: revoked or expired. Never rejects. */
  readonly isWelcome: () => Promise<boolean>;
}

/** A reader that has read nothing for this many keep-alives is cut off. */
const STALLED_TICKS_MAX = 4;

/** The writing end of a server-sent event stream: knows when its reader is slow, keeps it alive, ends with its connection. */
export class EventStream {
  readonly #response: Response;
  readonly #life: StreamLife;
  readonly #timer: NodeJS.Timeout;
  #blocked = false;
  #stalledTicks = 0;
  #ended = false;

  /** `onReady` is called whenever a slow reader has caught up; `onEnd` once, when the stream has ended from either side. */
  constructor(response: Response, life: StreamLife, on: { readonly onReady: () => void; readonly onEnd: () => void }) {
    this.#response = response;
    this.#life = life;
    response.status(200).set({
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      // nginx would collect the stream otherwise.
      "X-Accel-Buffering": "no",
    });
    response.flushHeaders();
    response.on("drain", () => {
      this.#blocked = false;
      this.#stalledTicks = 0;
      on.onReady();
    });
    let over = false;
    const onOver = (): void => {
      if (over) return;
      over = true;
      this.#ended = true;
      clearInterval(this.#timer);
      on.onEnd();
    };
    response.once("close", onOver);
    this.#timer = setInterval(() => this.#tick(), life.keepAliveMs);
    // No event comes from a reader that has gone already.
    if (response.destroyed) setImmediate(onOver);
    // A HEAD request is complete with its headers.
    else if (response.req.method === "HEAD") this.end();
  }

  /** True while the reader has not read what it was sent. Send only what must not be lost then. */
  get blocked(): boolean {
    return this.#blocked;
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(frame: string | Buffer): void {
    if (this.#ended) return;
    this.#blocked = !this.#response.write(frame) || this.#blocked;
  }

  /** Ends the stream. What was sent before still reaches a reader that reads it. */
  end(): void {
    this.#ended = true;
    this.#response.end();
  }

  #tick(): void {
    void this.#life.isWelcome().then((isWelcome) => {
      if (!isWelcome && !this.#ended) this.end();
    });
    if (!this.#blocked && !this.#ended) {
      this.send(": keep-alive\n\n");
      return;
    }
    this.#stalledTicks += 1;
    if (this.#stalledTicks >= STALLED_TICKS_MAX) this.#response.destroy();
  }
}
