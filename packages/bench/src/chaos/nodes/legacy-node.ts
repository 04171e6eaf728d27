import { type RawData, WebSocket } from "ws";
import type { Work } from "./work.ts";

/** Where a legacy node's picture is said to be: it differs from task to task, and nothing is uploaded. */
const pictureOf = (taskId: string): string => `https://pictures.example/${taskId}.png`;

/** A node of the field that knows only v1, with its manners: it looks whether the server is there and leaves without a word before it
 *  connects in earnest, never says that it started, ignores aborts, and answers into whatever socket the task came by, or nowhere. It
 *  collects what would have crashed a stock node. */
export class LegacyNode implements Disposable {
  readonly nodeId: string;
  /** Frames that v1 does not know, each a broken promise. */
  readonly unknownFrames: string[] = [];
  readonly #port: number;
  readonly #work: Work;
  readonly #pictureOf: (taskId: string) => string;
  #socket: WebSocket | null = null;
  #registered = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: {
    readonly port: number;
    readonly nodeId: string;
    readonly work: Work;
    /** The URL of a task's picture. */
    readonly pictureOf?: (taskId: string) => string;
  }) {
    this.nodeId = options.nodeId;
    this.#port = options.port;
    this.#work = options.work;
    this.#pictureOf = options.pictureOf ?? pictureOf;
    this.#look();
  }

  get online(): boolean {
    return this.#registered;
  }

  /** Its machine loses power: the socket goes without a word, and what it worked on is forgotten. It comes back after its pause. */
  crash(): void {
    this.#socket?.terminate();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #look(): void {
    const socket = this.#open();
    let found = false;
    socket.on("open", () => {
      found = true;
      socket.close();
    });
    socket.on("close", () => {
      if (this.#closed) return;
      if (found) this.#serve();
      else this.#comeBack();
    });
  }

  #serve(): void {
    const socket = this.#open();
    socket.on("open", () => {
      this.#registered = true;
      const metadata = { models: [], gpu_type: "NVIDIA GeForce RTX 3090", ncpu: 8, ram: 33_554_432_000 };
      socket.send(JSON.stringify({ type: "register", node_id: this.nodeId, metadata }));
    });
    socket.on("message", (data, isBinary) => this.#hear(socket, data, isBinary));
    socket.on("close", () => {
      this.#registered = false;
      this.#comeBack();
    });
  }

  #open(): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, { handshakeTimeout: 5_000 });
    // "close" follows.
    socket.on("error", () => undefined);
    this.#socket = socket;
    return socket;
  }

  #comeBack(): void {
    if (!this.#closed) this.#timer = setTimeout(() => this.#look(), this.#work.pauseMs());
  }

  #hear(socket: WebSocket, data: RawData, isBinary: boolean): void {
    const text = String(data);
    const taskId = isBinary ? null : taskIdOf(text);
    if (taskId === null) {
      if (isBinary || !isAbort(text)) this.unknownFrames.push(text.slice(0, 200));
      return;
    }
    this.#work.given(taskId);
    setTimeout(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      const resultsUrl = [this.#pictureOf(taskId)];
      socket.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl }));
    }, this.#work.durationMs());
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
