import { setTimeout as sleep } from "node:timers/promises";
import { type RawData, WebSocket } from "ws";

/** How long a stock node waits before it connects again, in milliseconds. */
const RECONNECT_MS = 1_000;

/** A picture as small as a PNG can be. */
const PICTURE =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** A node of the field that knows only v1, with its manners: it looks whether the server is there and leaves without a word before it
 *  connects in earnest, never says that it started, ignores aborts, answers into whatever socket the task came by, and comes back a second
 *  after it lost its connection. It collects what would have crashed a stock node. */
export class LegacyNode implements AsyncDisposable {
  readonly nodeId: string;
  /** Frames that v1 does not know, each a broken promise. */
  readonly violations: string[] = [];
  /** Ids that it was given, in order. */
  readonly given: string[] = [];
  readonly #port: number;
  readonly #workMs: number;
  #socket: WebSocket | null = null;
  #ended = false;

  constructor(options: { readonly nodeId: string; readonly port: number; readonly workMs: number }) {
    this.nodeId = options.nodeId;
    this.#port = options.port;
    this.#workMs = options.workMs;
    void this.#life();
  }

  /** Its machine loses power: the socket goes without a word, and what it worked on is forgotten. It comes back after a second. */
  crash(): void {
    this.#socket?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#socket?.terminate();
  }

  async #life(): Promise<void> {
    while (!this.#ended) {
      const look = await this.#open();
      if (look !== null) {
        look.close();
        const socket = await this.#open();
        if (socket !== null) await this.#serve(socket);
      }
      await sleep(RECONNECT_MS);
    }
  }

  #open(): Promise<WebSocket | null> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${this.#port}`, { handshakeTimeout: 5_000 });
      socket.once("open", () => resolve(socket));
      socket.on("error", () => resolve(null));
    });
  }

  #serve(socket: WebSocket): Promise<void> {
    this.#socket = socket;
    socket.send(
      `{"type":"register","node_id":"${this.nodeId}","metadata":{"models":[],"gpu_type":"NVIDIA GeForce RTX 3090","ncpu":8,"ram":33554432000}}`,
    );
    socket.on("message", (data, isBinary) => this.#hear(socket, data, isBinary));
    return new Promise((resolve) => socket.once("close", () => resolve()));
  }

  #hear(socket: WebSocket, data: RawData, isBinary: boolean): void {
    const text = String(data);
    const taskId = isBinary ? null : taskIdOf(text);
    if (taskId !== null) {
      this.given.push(taskId);
      void this.#work(socket, taskId);
    } else if (isBinary || !isAbort(text)) this.violations.push(text.slice(0, 200));
  }

  async #work(socket: WebSocket, taskId: string): Promise<void> {
    await sleep(this.#workMs);
    if (socket.readyState === WebSocket.OPEN)
      socket.send(`{"type":"result","status":"ready","taskId":"${taskId}","resultsUrl":["${PICTURE}"]}`);
  }
}

/** The id of a task frame that holds v1's keys and no other, in compact JSON; null where it is none. */
function taskIdOf(text: string): string | null {
  const frame = JSON.parse(text) as Record<string, unknown>;
  if (JSON.stringify(frame) !== text) return null;
  const { taskId, options, comfyOptions } = frame;
  if (Object.keys(frame).join() !== "taskId,options,comfyOptions" || typeof taskId !== "string") return null;
  const standard = options !== null && keysOf(options) === "prompt,model,size,steps" && comfyOptions === null;
  const comfy =
    comfyOptions !== null && keysOf(comfyOptions) === "pipelineData,pipelineDependencies" && options === null;
  return standard || comfy ? taskId : null;
}

function isAbort(text: string): boolean {
  const frame = JSON.parse(text) as Record<string, unknown>;
  return frame.type === "abort" && Object.keys(frame).join() === "type,taskId";
}

function keysOf(value: unknown): string {
  return typeof value === "object" && value !== null ? Object.keys(value).join() : "";
}
