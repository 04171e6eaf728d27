import type { Response } from "express";

/** What a stream's life hangs on, beside its reader. */
export interface StreamLife {
  /** Fires when the server stops. */
  readonly stopping: AbortSignal;
  /** A comment is sent this often, in milliseconds, so that proxies keep the connection and dead ones are found; and so often it is asked
   *  whether the reader may still read. */
  readonly keepAliveMs: number;
  /** False once the reader's token is not accepted any more: revoked or expired. Never rejects. */
  readonly isWelcome: () => Promise<boolean>;
}

/** A reader that took nothing for so many keep-alives is cut off. */
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
    // Who has gone by now is not heard to go.
    if (response.destroyed) setImmediate(onOver);
    // Who asks for the head alone has it.
    else if (response.req.method === "HEAD") this.end();
  }

  /** True while the reader has not taken what it was sent: nothing but what must not be lost is to be sent now. */
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

  /** What is under way still reaches a reader that takes it. */
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
