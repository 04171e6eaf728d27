import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { NodeFrame, type Pipeline, type ServerFrame } from "@genai/protocol";
import { until } from "@genai/testing";
import { type WebSocket, WebSocketServer } from "ws";

type FrameOf<Type extends NodeFrame["type"]> = Extract<NodeFrame, { type: Type }>;

/** A server of protocol 2 that says what a test tells it to: it registers nodes, takes uploads, asks for pictures that it misses and acknowledges
 *  results. */
export class StandInServer {
  /** Every frame that came, each held against its schema. */
  readonly frames: NodeFrame[] = [];
  /** Uploaded pictures by attempt and number. */
  readonly uploads = new Map<string, Buffer>();
  /** Pipelines that are too long for a frame, as JSON, by the path at which a node fetches them. */
  readonly pipelines = new Map<string, string>();
  readonly tokens: (string | undefined)[] = [];
  /** Whether results and errors are acknowledged. */
  acknowledges = true;
  /** What stands before the path of the upload URLs of tasks; where it asks for pictures again, the path is alone. */
  uploadOrigin = "";
  /** With what it closes the connection of a node that registers; null where it takes it in. */
  refusal: { readonly code: number; readonly reason: string } | null = null;
  readonly #http: Server;
  #socket: WebSocket | null = null;

  private constructor(http: Server) {
    this.#http = http;
    http.on("request", async (request, response) => {
      const pipeline = this.pipelines.get(request.url ?? "");
      if (request.method === "GET") {
        response.writeHead(pipeline === undefined ? 404 : 200).end(pipeline ?? "");
        return;
      }
      this.uploads.set(request.url?.slice("/upload/".length) ?? "", await buffer(request));
      response.writeHead(204).end();
    });
    const sockets = new WebSocketServer({ server: http });
    sockets.on("connection", (socket, request) => this.#greet(socket, request));
  }

  static async start(): Promise<StandInServer> {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    return new StandInServer(http);
  }

  get backend(): string {
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get connected(): boolean {
    return this.#socket !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  cut(): void {
    this.#socket?.terminate();
  }

  send(frame: ServerFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  /** Whatever, as it is. */
  sendRaw(data: string | Buffer): void {
    this.#socket?.send(data);
  }

  abort(attemptId: string): void {
    this.send({ type: "abort", attemptId: this.#taskOf(attemptId).attemptId, reason: "canceled" });
  }

  task(attemptId: string, pipeline: Pipeline): void {
    this.send({ ...this.#taskOf(attemptId), pipeline });
  }

  /** A task whose pipeline the node has to fetch. */
  taskToFetch(attemptId: string, pipeline: Pipeline): void {
    const pipelineUrl = `/pipeline/${attemptId}`;
    this.pipelines.set(pipelineUrl, JSON.stringify(pipeline));
    this.send({ ...this.#taskOf(attemptId), pipelineUrl });
  }

  /** Waits for a frame of a type that is as asked. */
  async frame<Type extends NodeFrame["type"]>(
    type: Type,
    fits: (frame: FrameOf<Type>) => boolean = () => true,
    limitMs = 15_000,
  ): Promise<FrameOf<Type>> {
    const find = (): FrameOf<Type> | undefined =>
      this.frames.find((frame): frame is FrameOf<Type> => frame.type === type && fits(frame as FrameOf<Type>));
    return until(`a ${type} frame among ${JSON.stringify(this.frames).slice(-600)}`, find, limitMs);
  }

  #greet(socket: WebSocket, request: IncomingMessage): void {
    this.#socket = socket;
    this.tokens.push(request.headers.authorization);
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = null;
    });
    socket.on("message", (data) => {
      const frame = NodeFrame.parse(JSON.parse(String(data)));
      this.frames.push(frame);
      switch (frame.type) {
        case "register":
          if (this.refusal !== null) {
            socket.close(this.refusal.code, this.refusal.reason);
            break;
          }
          this.send({
            type: "registered",
            protocol: 2,
            leaseMs: 30_000,
            heartbeatMs: 10_000,
            frameBytesMax: 1_048_576,
            keep: frame.held.map(({ attemptId }) => attemptId),
            stop: [],
          });
          break;
        case "heartbeat":
          this.send({ type: "heartbeatAck", seq: frame.seq, stop: [] });
          break;
        case "result": {
          const { attemptId } = frame;
          const missing = [...frame.artifacts.keys()].filter((n) => !this.uploads.has(`${attemptId}/${n}`));
          if (missing.length > 0) this.send({ type: "upload", attemptId, uploadUrl: uploadPath(attemptId), missing });
          else if (this.acknowledges) this.send({ type: "ack", attemptId, verdict: "accepted" });
          break;
        }
        case "error":
          if (this.acknowledges) this.send({ type: "ack", attemptId: frame.attemptId, verdict: "accepted" });
          break;
      }
    });
  }

  #taskOf(attemptId: string) {
    const id = attemptId as FrameOf<"accepted">["attemptId"];
    const uploadUrl = this.uploadOrigin + uploadPath(attemptId);
    return { type: "task", attemptId: id, limitMs: 600_000, uploadUrl } as const;
  }
}

function uploadPath(attemptId: string): string {
  return `/upload/${attemptId}/{n}`;
}
