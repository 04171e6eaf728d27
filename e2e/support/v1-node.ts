import { WebSocket } from "ws";

/** What a node of the old kind does with a task: frames to send, or the end of its connection. */
export type V1Behaviour = (task: V1Task, n: number) => readonly string[] | "drop";

interface V1Task {
  readonly taskId: string;
  readonly options: { readonly prompt: string } | null;
}

/** How soon it is back after its connection broke, as the old program was. */
const reconnectMs = 1_000;

/** A node of the old kind: it speaks v1's frames as text that is written here, and comes back under its id when it was cut off. */
export class V1Node implements Disposable {
  /** Every frame that it was sent, as it came. */
  readonly frames: string[] = [];
  readonly #url: string;
  readonly #register: string;
  readonly #behave: V1Behaviour;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #tasks = 0;
  #closed = false;

  /** `url` carries the token, as the old program's `-b` does. */
  constructor(url: string, register: string, behave: V1Behaviour) {
    this.#url = url;
    this.#register = register;
    this.#behave = behave;
    this.#connect();
  }

  /** Tasks that it was given. */
  get tasks(): number {
    return this.#tasks;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.on("open", () => socket.send(this.#register));
    socket.on("message", (data) => this.#heard(socket, String(data)));
    // Its close comes next, and that is what counts.
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), reconnectMs);
    });
  }

  #heard(socket: WebSocket, text: string): void {
    this.frames.push(text);
    const frame = JSON.parse(text);
    if (typeof frame.taskId !== "string" || frame.type !== undefined) return;
    this.#tasks += 1;
    const answer = this.#behave(frame, this.#tasks);
    if (answer === "drop") socket.terminate();
    else for (const each of answer) socket.send(each);
  }
}

/** The smallest picture that the old node could have sent: one red pixel. */
export const redPixel =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

export function v1Result(taskId: string): string {
  return `{"type":"result","status":"ready","taskId":"${taskId}","resultsUrl":["${redPixel}"]}`;
}

/** The old node's useless error. */
export function v1Error(taskId: string): string {
  return `{"type":"error","status":"error","taskId":"${taskId}","error":"{}"}`;
}

export function v1Register(nodeId: string): string {
  return `{"type":"register","node_id":"${nodeId}","metadata":{"models":[],"gpu_type":"RTX 4090","ncpu":8,"ram":68719476736}}`;
}
