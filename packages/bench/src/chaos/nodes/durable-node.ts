import { createHash, randomUUID } from "node:crypto";
import { ServerFrame } from "@genai/protocol";
import { WebSocket } from "ws";
import { ask } from "../clients/ask.ts";
import type { Work } from "./work.ts";

/** The smallest picture: one grey pixel. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
  "base64",
);
const ARTIFACT = {
  sha256: createHash("sha256").update(PICTURE).digest("hex"),
  bytes: PICTURE.length,
  mime: "image/png",
};

interface Held {
  state: "running" | "finished";
  readonly uploadUrl: string;
  readonly timer: NodeJS.Timeout;
}

/** A node that speaks protocol 2 and never restarts: what it was given it works on without its server, and brings back until it
 *  gets a verdict. */
export class DurableNode implements Disposable {
  readonly #port: number;
  readonly #nodeId: string;
  readonly #work: Work;
  readonly #bootId = randomUUID();
  readonly #held = new Map<string, Held>();
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #seq = 0;
  #closed = false;

  constructor(options: { readonly port: number; readonly nodeId: string; readonly work: Work }) {
    this.#port = options.port;
    this.#nodeId = options.nodeId;
    this.#work = options.work;
    this.#connect();
  }

  get online(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    for (const { timer } of this.#held.values()) clearTimeout(timer);
    this.#socket?.terminate();
  }

  #connect(): void {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("open", () => this.#register());
    socket.on("close", () => {
      if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), this.#work.pauseMs());
    });
    socket.on("message", (data) => this.#hear(ServerFrame.parse(JSON.parse(String(data)))));
  }

  #register(): void {
    const held = [...this.#held].map(([attemptId, { state }]) => ({ attemptId, state }));
    const capabilities = { engine: "test", pipelines: ["standard", "comfy"] };
    this.#send({
      type: "register",
      protocol: 2,
      nodeId: this.#nodeId,
      bootId: this.#bootId,
      capabilities,
      slots: 1,
      held,
    });
  }

  #hear(frame: ServerFrame): void {
    switch (frame.type) {
      case "registered":
        for (const attemptId of frame.stop) this.#forget(attemptId);
        for (const [attemptId, { state }] of this.#held) if (state === "finished") void this.#deliver(attemptId);
        this.#heartbeat = setInterval(() => this.#beat(), frame.heartbeatMs);
        break;
      case "task": {
        const { attemptId, uploadUrl } = frame;
        this.#work.given(attemptId);
        this.#send({ type: "accepted", attemptId });
        const timer = setTimeout(() => this.#finish(attemptId), this.#work.durationMs());
        this.#held.set(attemptId, { state: "running", uploadUrl, timer });
        break;
      }
      case "upload":
        void this.#deliver(frame.attemptId);
        break;
      case "abort":
      case "ack":
        this.#forget(frame.attemptId);
        break;
      case "heartbeatAck":
        for (const { attemptId } of frame.stop) this.#forget(attemptId);
        break;
      case "drain":
      case "reconnect":
        break;
    }
  }

  #finish(attemptId: string): void {
    const held = this.#held.get(attemptId);
    if (held === undefined) return;
    held.state = "finished";
    void this.#deliver(attemptId);
  }

  /** Pictures first, the result second. Whatever fails is done again with the next connection. */
  async #deliver(attemptId: string): Promise<void> {
    const held = this.#held.get(attemptId);
    if (held === undefined) return;
    const url = new URL(held.uploadUrl.replace("{n}", "0"), `http://127.0.0.1:${this.#port}`).href;
    const stored = await ask(url, { method: "PUT", bytes: PICTURE, headers: { "content-type": "image/png" } });
    // One that is refused gets its verdict by the result.
    if (stored === null || stored.status >= 500) return;
    this.#send({ type: "result", attemptId, artifacts: [ARTIFACT], metrics: { gpuMs: 10 } });
  }

  #beat(): void {
    const running = [...this.#held].flatMap(([attemptId, { state }]) =>
      state === "running" ? [{ attemptId, progress: 0.5 }] : [],
    );
    this.#seq += 1;
    this.#send({ type: "heartbeat", seq: this.#seq, free: running.length === 0 ? 1 : 0, running });
    // A result without an answer is brought again.
    for (const [attemptId, { state }] of this.#held) if (state === "finished") void this.#deliver(attemptId);
  }

  #forget(attemptId: string): void {
    clearTimeout(this.#held.get(attemptId)?.timer);
    this.#held.delete(attemptId);
  }

  #send(frame: unknown): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }
}
