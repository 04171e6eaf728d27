import type { ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { type FakeRequest, FaultyHttpServer, sendJson } from "./faulty-http-server.ts";
import { JPEG_HEAD, plainPng } from "./pictures.ts";

const MODELS = [
  { name: "dreamlike-art/DreamShaper_8", path: "/models/a", backend: "PyTorch", type: "SD1.x", valid: true },
  { name: "sdxl_base", path: "/models/b", backend: "SDXL", type: "SDXL", valid: true },
];

interface VoltaRequest {
  readonly model: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** VoltaML 0.6 without a GPU: its routes stand under `/api`, and whatever else is asked for is redirected to its page. */
export class FakeVolta {
  readonly posted: { readonly path: string; readonly body: VoltaRequest }[] = [];
  readonly loads: Readonly<Record<string, string>>[] = [];
  interrupts = 0;
  loaded: string[] = [];
  /** Runs stop inside their first step and wait for an interrupt. */
  hang = false;
  /** Answers start with a grid. */
  grid = false;
  /** Pictures come as data URLs, bare base64, or something else in their place. */
  pictureText: "data-url" | "bare" | string = "data-url";
  /** The next run ends with this status and body. */
  refusal: { readonly status: number; readonly body: unknown } | null = null;
  /** Somebody unloads the model between the node's look and its run. */
  unloadBeforeRun = false;
  running = false;
  readonly server: FaultyHttpServer;
  readonly #sockets = new Set<WebSocket>();
  #interrupted = false;
  #wake = (): void => {};

  private constructor(server: FaultyHttpServer) {
    this.server = server;
    server.hugeHead = '{"time":1.5,"images":["data:image/png;base64,iVBORw0KGgo';
    const sockets = new WebSocketServer({ server: server.http, path: "/api/websockets/master" });
    sockets.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<FakeVolta> {
    let fake: FakeVolta | null = null;
    const server = await FaultyHttpServer.start((request, response) => fake?.answer(request, response));
    fake = new FakeVolta(server);
    return fake;
  }

  get url(): string {
    return this.server.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutSockets();
    await this.server.kill();
  }

  cutSockets(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  /** As the button of its own page does. */
  interruptRunning(): void {
    this.#interrupted = true;
    this.#wake();
  }

  async answer({ path, method, body, query }: FakeRequest, response: ServerResponse): Promise<void> {
    switch (`${method} ${path}`) {
      case "GET /api/models/available":
        return sendJson(
          response,
          200,
          MODELS.map((model) => ({ ...model, state: this.#stateOf(model.name) })),
        );
      case "GET /api/models/loaded":
        return sendJson(
          response,
          200,
          MODELS.filter(({ name }) => this.loaded.includes(name)).map((model) => ({ ...model, state: "loaded" })),
        );
      case "POST /api/models/load": {
        const params = Object.fromEntries(query);
        this.loads.push(params);
        if (this.refusal !== null) return sendJson(response, this.refusal.status, this.refusal.body);
        this.loaded.push(params.model ?? "");
        return sendJson(response, 200, { message: "Model loaded" });
      }
      case "POST /api/models/unload":
        this.loaded = this.loaded.filter((name) => name !== query.get("model"));
        return sendJson(response, 200, { message: "Model unloaded" });
      case "POST /api/general/interrupt":
        this.interrupts += 1;
        this.interruptRunning();
        return sendJson(response, 200, { message: "Interrupted" });
      case "POST /api/generate/txt2img":
      case "POST /api/generate/img2img":
        return this.#generate(path, JSON.parse(body.toString("utf8")) as VoltaRequest, response);
    }
    response.writeHead(307, { location: "/" }).end();
  }

  async #generate(path: string, body: VoltaRequest, response: ServerResponse): Promise<void> {
    this.posted.push({ path, body });
    if (this.unloadBeforeRun) {
      this.unloadBeforeRun = false;
      this.loaded = [];
    }
    if (!this.loaded.includes(body.model)) return sendJson(response, 400, { detail: "Model is not loaded" });
    const { width, height, steps, seed } = body.data as Record<"width" | "height" | "steps" | "seed", number>;
    if (width > 2_048) {
      const message =
        "1 validation error for Txt2ImgQueueEntry data -> width ensure this value is less than or equal to 2048";
      return sendJson(response, 422, { status_code: 10_422, message, data: null });
    }
    this.#interrupted = false;
    this.running = true;
    for (let step = 1; step <= steps && !this.#interrupted; step++) {
      const image = `data:image/jpeg;base64,${JPEG_HEAD.toString("base64")}`;
      const data = { progress: (100 * step) / steps, current_step: step, total_steps: steps, image };
      this.#broadcast({ type: path.endsWith("txt2img") ? "txt2img" : "img2img", data });
      if (this.hang) await new Promise<void>((wake) => (this.#wake = wake));
      await new Promise((next) => setTimeout(next, 2));
    }
    this.running = false;
    if (this.#interrupted) return sendJson(response, 200, { time: 0.1, images: [] });
    if (this.refusal !== null) return sendJson(response, this.refusal.status, this.refusal.body);
    const base64 = (await plainPng(width, height, seed % 256)).toString("base64");
    const picture =
      this.pictureText === "data-url"
        ? `data:image/png;base64,${base64}`
        : this.pictureText === "bare"
          ? base64
          : this.pictureText;
    const grid = `data:image/png;base64,${(await plainPng(8, 8)).toString("base64")}`;
    sendJson(response, 200, { time: 1.5, images: this.grid ? [grid, picture] : [picture] });
  }

  #stateOf(name: string): string {
    return this.loaded.includes(name) ? "loaded" : "not loaded";
  }

  #broadcast(message: unknown): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(message));
  }
}
