import { once } from "node:events";
import { WebSocket } from "ws";

/** A task frame as a legacy node gets it. */
export interface LegacyTask {
  readonly taskId: string;
  readonly options: { readonly prompt: string; readonly model: string } | null;
  readonly comfyOptions: { readonly pipelineData: string } | null;
}

/** A node that knows only the first protocol, as they are in the field: raw frames over a raw socket. */
export class LegacyNode implements Disposable {
  readonly #socket: WebSocket;
  /** Frames as text, in the order of their coming. */
  readonly received: string[] = [];
  /** Code of the close, once it is closed. */
  closed: number | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.received.push(String(data)));
    socket.on("close", (code) => {
      this.closed = code;
    });
    socket.on("error", () => {});
  }

  /** Connects as the stock node does: first a silent look whether the server is there, then for good. Without metadata for null. */
  static async connect(url: string, nodeId: string, metadata: object | null = { models: [] }): Promise<LegacyNode> {
    const look = new WebSocket(url);
    await once(look, "open");
    look.close();
    const socket = new WebSocket(url);
    const node = new LegacyNode(socket);
    await once(socket, "open");
    node.send(JSON.stringify({ type: "register", node_id: nodeId, ...(metadata === null ? {} : { metadata }) }));
    return node;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  answer(taskId: string, resultsUrl: readonly string[]): void {
    this.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl }));
  }

  fail(taskId: string, error: string): void {
    this.send(JSON.stringify({ type: "error", status: "error", taskId, error }));
  }

  /** Breaks off without a close frame. */
  breakOff(): void {
    this.#socket.terminate();
  }

  /** The tasks that came so far. */
  get tasks(): readonly LegacyTask[] {
    return this.received.map((text) => JSON.parse(text)).filter((frame) => !("type" in frame));
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
