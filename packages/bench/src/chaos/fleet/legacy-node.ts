import { WebSocket } from "ws";
import type { Work } from "./work.ts";

/** A node that speaks v1 as those in the field do: what it finishes goes to the socket that the task came by, or nowhere. */
export class LegacyNode {
  readonly #port: number;
  readonly #nodeId: string;
  readonly #work: Work;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(port: number, nodeId: string, work: Work) {
    this.#port = port;
    this.#nodeId = nodeId;
    this.#work = work;
    this.#connect();
  }

  get online(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #connect(): void {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: "register", node_id: this.#nodeId, metadata: { models: [] } }));
    });
    socket.on("close", () => {
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), this.#work.pauseMs());
    });
    socket.on("message", (data) => {
      const { taskId, type } = JSON.parse(String(data)) as { readonly taskId?: string; readonly type?: string };
      if (taskId === undefined || type !== undefined) return;
      this.#work.given(taskId);
      setTimeout(() => {
        if (socket.readyState !== WebSocket.OPEN) return;
        const resultsUrl = [`https://pictures.example/${taskId}.png`];
        socket.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl }));
      }, this.#work.durationMs());
    });
  }
}
