import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { type FakeGraph, isOutput, objectInfo, upstream, validate } from "./comfy-object-info.ts";
import { type FakeRequest, FaultyHttpServer, sendJson } from "./faulty-http-server.ts";
import { JPEG_HEAD, plainPng, pngSize } from "./pictures.ts";

/** `new`: 0.3.64 of October 2025. `old`: a commit of March 2024, before the rewrite of its executor. */
export type ComfyVersion = "new" | "old";

/** What goes wrong with a run on purpose. */
export interface ComfyFaults {
  /** Cut the event socket right after this many frames of a run. */
  cutSocketAfter?: number;
  /** `/history` answers empty this many times after the end. */
  historyLag?: number;
  /** The prompt is deleted from the queue by somebody else. */
  vanish?: boolean;
  /** Never finish by itself: wait inside the first node (or its first step) until interrupted or released. */
  hang?: boolean;
  /** Look for no interrupt while it hangs. */
  deaf?: boolean;
  /** Events of the run are sent before the POST is answered. */
  eventsFirst?: boolean;
}

interface Run {
  readonly id: string;
  readonly number: number;
  readonly graph: FakeGraph;
  readonly outputs: readonly string[];
  readonly clientId: string | undefined;
  readonly extraData: Readonly<Record<string, unknown>>;
  frames: number;
  interrupted: boolean;
  wake: () => void;
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly count: number;
}

const STAMP = 1_795_415_154_488;

/** ComfyUI without a GPU: its HTTP answers and event frames as two real versions were observed to send them. It runs LoadImage, EmptyImage,
 *  ImageScale, ImageInvert, SaveImage, PreviewImage and stand-ins for a sampler's nodes; pictures have the right size and one colour. */
export class FakeComfyUi {
  readonly faults: ComfyFaults = {};
  readonly posted: FakeGraph[] = [];
  readonly uploads = new Map<string, Buffer>();
  readonly interrupts: string[] = [];
  readonly deleted: string[] = [];
  /** Client ids in the order in which their sockets came. */
  readonly clients: string[] = [];
  readonly server: FaultyHttpServer;
  /** Largest upload; theirs is 100 MiB. */
  uploadLimitBytes = 104_857_600;
  /** Frames that begin each run for everybody: of another prompt, which no run may take for its own. */
  strangers = true;
  readonly #isNew: boolean;
  readonly #sockets = new Map<string, WebSocket>();
  readonly #withMetadata = new Set<string>();
  readonly #history = new Map<string, unknown>();
  readonly #files = new Map<string, Buffer>();
  readonly #pending: Run[] = [];
  #running: Run | null = null;
  #runningNode: string | null = null;
  #number = 0;
  #last: { readonly graph: FakeGraph; readonly outputs: Readonly<Record<string, unknown>> } = {
    graph: {},
    outputs: {},
  };
  #fileNumber = 0;
  #pictureBytes: number | null = null;

  private constructor(version: ComfyVersion, server: FaultyHttpServer) {
    this.#isNew = version === "new";
    this.server = server;
    const sockets = new WebSocketServer({ server: server.http, path: "/ws" });
    sockets.on("connection", (socket, request) => this.#greet(socket, request));
  }

  static async start(version: ComfyVersion, port = 0): Promise<FakeComfyUi> {
    let fake: FakeComfyUi | null = null;
    const server = await FaultyHttpServer.start((request, response) => fake?.answer(request, response), port);
    fake = new FakeComfyUi(version, server);
    fake.uploads.set("probe.png", await plainPng(48, 32));
    fake.uploads.set("corrupt.png", Buffer.from("these bytes are no picture"));
    return fake;
  }

  get url(): string {
    return this.server.url;
  }

  get running(): boolean {
    return this.#running !== null;
  }

  /** Every picture gets this many bytes behind its PNG. */
  set pictureBytes(bytes: number) {
    this.#pictureBytes = bytes;
  }

  async kill(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.terminate();
    await this.server.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  /** Lets what hangs go on. */
  release(): void {
    this.faults.hang = false;
    this.#running?.wake();
  }

  interruptRunning(): void {
    if (this.#running === null || this.faults.deaf) return;
    this.#running.interrupted = true;
    this.#running.wake();
  }

  #greet(socket: WebSocket, request: IncomingMessage): void {
    const asked = new URL(request.url ?? "", this.url).searchParams.get("clientId") ?? "";
    const sid = asked === "" ? randomUUID().replaceAll("-", "") : asked;
    this.#sockets.set(sid, socket);
    this.clients.push(sid);
    const status = { status: { exec_info: { queue_remaining: this.#remaining() } }, sid };
    socket.send(JSON.stringify({ type: "status", data: status }));
    if (this.#running?.clientId === sid && this.#runningNode !== null)
      socket.send(JSON.stringify({ type: "executing", data: { node: this.#runningNode } }));
    let first = true;
    socket.on("message", (data, isBinary) => {
      if (isBinary || !first) return;
      first = false;
      if (!this.#isNew || !String(data).includes('"supports_preview_metadata"')) return;
      this.#withMetadata.add(sid);
      const flags = { supports_preview_metadata: true, max_upload_size: 104_857_600 };
      socket.send(JSON.stringify({ type: "feature_flags", data: flags }));
    });
    // Whichever socket of an id closes takes the id with it, as theirs does.
    socket.on("close", () => {
      this.#sockets.delete(sid);
      this.#withMetadata.delete(sid);
    });
  }

  async answer({ path, method, body, query, headers }: FakeRequest, response: ServerResponse): Promise<void> {
    const text = body.toString("utf8");
    const route = this.#isNew && path.startsWith("/api/") ? path.slice("/api".length) : path;
    switch (`${method} ${route}`) {
      case "GET /system_stats":
        return sendJson(response, 200, this.#stats());
      case "GET /object_info":
        return sendJson(response, 200, objectInfo(this.#isNew));
      case "GET /queue":
        return sendJson(response, 200, this.#queue());
      case "POST /queue":
        for (const id of (JSON.parse(text) as { delete?: string[] }).delete ?? []) this.#delete(id);
        return empty(response, 200);
      case "POST /interrupt": {
        const target = (JSON.parse(text || "{}") as { prompt_id?: string }).prompt_id;
        this.interrupts.push(target ?? "(global)");
        if (!this.#isNew || target === undefined || target === this.#running?.id) this.interruptRunning();
        return empty(response, 200);
      }
      case "GET /view": {
        const key = ["type", "subfolder", "filename"].map((name) => query.get(name) ?? "").join("/");
        const file = this.#files.get(key);
        if (file === undefined) return empty(response, 404);
        response.writeHead(200, {
          "content-type": "image/png",
          "content-disposition": `filename="${query.get("filename")}"`,
        });
        response.end(file);
        return;
      }
      case "POST /upload/image":
        if (body.length > this.uploadLimitBytes) {
          response.writeHead(413, { "content-type": "text/plain; charset=utf-8" });
          response.end(`Maximum request body size ${this.uploadLimitBytes} exceeded, actual body size ${body.length}`);
          return;
        }
        return sendJson(response, 200, this.#upload(body, String(headers["content-type"])));
      case "POST /prompt":
        return this.#post(text, response);
    }
    if (method === "GET" && route.startsWith("/history/"))
      return sendJson(response, 200, this.#historyOf(route.slice("/history/".length)));
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("404: Not Found");
  }

  #upload(body: Buffer, contentType: string): unknown {
    const head = body.toString("latin1", 0, 4_096);
    const name = /name="image"; filename="([^"]+)"/.exec(head)?.[1] ?? "";
    const start = body.indexOf("\r\n\r\n", body.indexOf("filename=")) + 4;
    const boundary = /boundary=([^;]+)/.exec(contentType)?.[1] ?? "";
    this.uploads.set(name, body.subarray(start, body.indexOf(`\r\n--${boundary}`, start)));
    return { name, subfolder: "", type: "input" };
  }

  #post(text: string, response: ServerResponse): void {
    let body: { prompt?: FakeGraph; client_id?: string; prompt_id?: string; extra_data?: Record<string, unknown> };
    try {
      body = JSON.parse(text) as typeof body;
    } catch {
      trouble(response);
      return;
    }
    const number = this.#number++;
    const validation = validate(body.prompt, this.#isNew, new Set(this.uploads.keys()));
    if ("status" in validation) {
      if (typeof validation.body === "string") trouble(response);
      else sendJson(response, validation.status, validation.body);
      return;
    }
    const graph = body.prompt ?? {};
    this.posted.push(graph);
    const id = this.#isNew && body.prompt_id !== undefined ? body.prompt_id : randomUUID();
    const run: Run = {
      id,
      number,
      graph,
      outputs: validation.outputs,
      clientId: body.client_id,
      extraData: { ...body.extra_data, ...(body.client_id === undefined ? {} : { client_id: body.client_id }) },
      frames: 0,
      interrupted: false,
      wake: () => {},
    };
    const answer = (): void => sendJson(response, 200, { prompt_id: id, number, node_errors: validation.nodeErrors });
    this.#pending.push(run);
    this.#status();
    if (!this.faults.eventsFirst) answer();
    setImmediate(() => {
      void this.#work().finally(() => {
        if (this.faults.eventsFirst) answer();
      });
    });
  }

  async #work(): Promise<void> {
    const run = this.#running === null ? this.#pending.shift() : undefined;
    if (run === undefined) return;
    this.#running = run;
    this.#status();
    if (this.strangers) this.#sendStrangers();
    await this.#execute(run);
    await this.#work();
  }

  /** What reaches every socket whatever its client id: events of prompts without one, and text frames. */
  #sendStrangers(): void {
    const prompt_id = "somebody-else";
    this.#broadcast({ type: "progress", data: { value: 1, max: 1, prompt_id, node: "9" } });
    const data = { prompt_id, node_id: "9", node_type: "KSampler", executed: [] };
    this.#broadcast({ type: "execution_interrupted", data });
    this.#broadcast({ type: "executing", data: { node: null, prompt_id } });
    if (!this.#isNew) return;
    const frame = Buffer.concat([
      Buffer.from("0000000300000002", "hex"),
      Buffer.from("g1width: 48, height: 32\n batch size: 1"),
    ]);
    for (const socket of this.#sockets.values()) socket.send(frame);
  }

  async #execute(run: Run): Promise<void> {
    const prompt_id = run.id;
    const stamp = this.#isNew ? { timestamp: STAMP } : {};
    const order = [...new Set(run.outputs.flatMap((output) => upstream(run.graph, output)))];
    const cached = order.filter((id) => upstream(run.graph, id).every((each) => this.#isCached(run.graph, each)));
    const messages: unknown[] = [
      ["execution_start", { prompt_id, ...stamp }],
      ["execution_cached", { nodes: cached, prompt_id, ...stamp }],
    ];
    this.#tell(run, "execution_start", { prompt_id, ...stamp });
    this.#tell(run, "execution_cached", { nodes: cached, prompt_id, ...stamp });
    const outputs: Record<string, unknown> = {};
    const states: Record<string, unknown> = {};
    const sizes = new Map<string, Size>();
    let failure: readonly [string, Record<string, unknown>] | null = null;
    for (const id of order) {
      const node = run.graph[id];
      if (node === undefined) continue;
      if (cached.includes(id)) {
        const output = this.#last.outputs[id];
        if (output === undefined) continue;
        outputs[id] = output;
        if (!this.#isNew) continue;
        this.#tell(run, "executed", { node: id, display_node: id, output, prompt_id });
        this.#progressState(run, states, id, "finished", 1, 1);
        continue;
      }
      this.#runningNode = id;
      this.#progressState(run, states, id, "running", 0, 1);
      this.#tell(run, "executing", { node: id, ...(this.#isNew ? { display_node: id } : {}), prompt_id });
      if (node.class_type === "KSampler") await this.#sample(run, states, id, Number(node.inputs?.steps));
      else await this.#pause(run);
      failure = this.#failureOf(run, id, order);
      if (failure !== null) break;
      sizes.set(id, this.#sizeOf(run.graph, id));
      if (isOutput(node.class_type)) {
        const output = await this.#save(node, this.#sizeOf(run.graph, id));
        outputs[id] = output;
        this.#tell(run, "executed", { node: id, ...(this.#isNew ? { display_node: id } : {}), output, prompt_id });
      }
      this.#progressState(run, states, id, "finished", 1, 1);
    }
    this.#runningNode = null;
    if (this.faults.vanish) {
      this.#running = null;
      return;
    }
    if (failure !== null) {
      this.#tell(run, ...failure);
      messages.push(failure);
    } else {
      this.#last = { graph: run.graph, outputs };
      if (this.#isNew) {
        this.#tell(run, "execution_success", { prompt_id, ...stamp });
        messages.push(["execution_success", { prompt_id, ...stamp }]);
      }
    }
    const status = { status_str: failure === null ? "success" : "error", completed: failure === null, messages };
    const meta = Object.fromEntries(
      Object.keys(outputs).map((id) => [id, { node_id: id, display_node: id, parent_node: null, real_node_id: id }]),
    );
    const prompt = [run.number, prompt_id, run.graph, run.extraData, run.outputs];
    this.#history.set(prompt_id, { prompt, outputs, status, ...(this.#isNew ? { meta } : {}) });
    this.#running = null;
    this.#status();
    this.#tell(run, "executing", { node: null, prompt_id });
  }

  async #pause(run: Run): Promise<void> {
    if (this.faults.hang && !run.interrupted) await new Promise<void>((wake) => Object.assign(run, { wake }));
  }

  #failureOf(run: Run, id: string, order: readonly string[]): readonly [string, Record<string, unknown>] | null {
    const node = run.graph[id];
    const stamp = this.#isNew ? { timestamp: STAMP } : {};
    const base = { prompt_id: run.id, node_id: id, node_type: node?.class_type, executed: [] };
    if (run.interrupted) return ["execution_interrupted", { ...base, ...stamp }];
    if (node?.class_type !== "LoadImage" || node.inputs?.image !== "corrupt.png") return null;
    return [
      "execution_error",
      {
        ...base,
        exception_message: `cannot identify image file '/input/corrupt.png'${this.#isNew ? "\n" : ""}`,
        exception_type: "PIL.UnidentifiedImageError",
        traceback: ['  File "/nodes.py", line 1, in load_image\n'],
        current_inputs: { image: ["corrupt.png"] },
        current_outputs: this.#isNew ? [...order] : {},
        ...stamp,
      },
    ];
  }

  async #sample(run: Run, states: Record<string, unknown>, node: string, steps: number): Promise<void> {
    const withMetadata = this.#withMetadata.has(run.clientId ?? "");
    for (let value = 1; value <= steps && !run.interrupted; value++) {
      this.#progressState(run, states, node, "running", value, steps);
      if (withMetadata) this.#tellBinary(run, previewWithMetadata(run.id, node));
      this.#tell(run, "progress", { value, max: steps, prompt_id: run.id, node });
      if (!withMetadata) this.#tellBinary(run, PREVIEW);
      await this.#pause(run);
      await new Promise((next) => setImmediate(next));
    }
  }

  #isCached(graph: FakeGraph, id: string): boolean {
    const now = JSON.stringify(graph[id]);
    return this.#last.graph[id] !== undefined && JSON.stringify(this.#last.graph[id]) === now;
  }

  #sizeOf(graph: FakeGraph, id: string): Size {
    const { class_type, inputs = {} } = graph[id] ?? { class_type: "" };
    const number = (name: string): number => Number(inputs[name]);
    if (class_type === "LoadImage") {
      const bytes = this.uploads.get(String(inputs.image));
      return { ...(bytes === undefined ? { width: 1, height: 1 } : pngSize(bytes)), count: 1 };
    }
    const from = ["images", "image", "pixels", "samples", "latent_image"]
      .map((name) => inputs[name])
      .find(Array.isArray);
    if (class_type === "ImageScale") return { width: number("width"), height: number("height"), count: 1 };
    if (from !== undefined) return this.#sizeOf(graph, String(from[0]));
    return { width: number("width"), height: number("height"), count: Number(inputs.batch_size ?? 1) };
  }

  async #save(node: FakeGraph[string], { width, height, count }: Size): Promise<unknown> {
    const isTemporary = node.class_type === "PreviewImage";
    const prefix = isTemporary ? "ComfyUI_temp_ppsfl" : String(node.inputs?.filename_prefix ?? "ComfyUI");
    const [name = "", ...folders] = prefix.split("/").reverse();
    const [type, subfolder] = [isTemporary ? "temp" : "output", folders.reverse().join("/")];
    const images: unknown[] = [];
    for (let n = 0; n < count; n++) {
      this.#fileNumber += 1;
      const filename = `${name}_${String(this.#fileNumber).padStart(5, "0")}_.png`;
      const png = await plainPng(width, height, this.#fileNumber % 256);
      const padding = this.#pictureBytes === null ? [] : [Buffer.alloc(this.#pictureBytes)];
      this.#files.set(`${type}/${subfolder}/${filename}`, Buffer.concat([png, ...padding]));
      images.push({ filename, subfolder, type });
    }
    return { images };
  }

  #progressState(
    run: Run,
    states: Record<string, unknown>,
    id: string,
    state: "running" | "finished",
    value: number,
    max: number,
  ): void {
    if (!this.#isNew) return;
    const about = { node_id: id, prompt_id: run.id, display_node_id: id, parent_node_id: null, real_node_id: id };
    states[id] = { value, max, state, ...about };
    this.#tell(run, "progress_state", { prompt_id: run.id, nodes: { ...states } });
  }

  #tell(run: Run, type: string, data: unknown): void {
    this.#sockets.get(run.clientId ?? "")?.send(JSON.stringify({ type, data }));
    this.#countFrame(run);
  }

  #tellBinary(run: Run, frame: Buffer): void {
    this.#sockets.get(run.clientId ?? "")?.send(frame);
    this.#countFrame(run);
  }

  #countFrame(run: Run): void {
    run.frames += 1;
    if (run.frames !== this.faults.cutSocketAfter) return;
    this.#sockets.get(run.clientId ?? "")?.terminate();
    this.#sockets.delete(run.clientId ?? "");
  }

  #broadcast(message: unknown): void {
    for (const socket of this.#sockets.values()) socket.send(JSON.stringify(message));
  }

  #status(): void {
    this.#broadcast({ type: "status", data: { status: { exec_info: { queue_remaining: this.#remaining() } } } });
  }

  #remaining(): number {
    return this.#pending.length + (this.#running === null ? 0 : 1);
  }

  #queue(): unknown {
    const item = ({ number, id, graph, extraData, outputs }: Run): unknown[] => [number, id, graph, extraData, outputs];
    const running = this.#running === null ? [] : [item(this.#running)];
    return { queue_running: running, queue_pending: this.#pending.map(item) };
  }

  #delete(id: string): void {
    const at = this.#pending.findIndex((run) => run.id === id);
    if (at < 0) return;
    this.#pending.splice(at, 1);
    this.deleted.push(id);
    this.#status();
  }

  #historyOf(id: string): unknown {
    const entry = this.#history.get(id);
    if (entry === undefined) return {};
    const lag = this.faults.historyLag ?? 0;
    this.faults.historyLag = Math.max(0, lag - 1);
    return lag > 0 ? {} : { [id]: entry };
  }

  #stats(): unknown {
    const system = { os: "posix", python_version: "3.11.2", embedded_python: false };
    const name = "cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync";
    const device = { name, type: "cuda", index: 0, vram_total: 25_276_063_744, vram_free: 1 };
    return { system: this.#isNew ? { ...system, comfyui_version: "0.3.64" } : system, devices: [device] };
  }
}

const PREVIEW = Buffer.concat([Buffer.from("0000000100000001", "hex"), JPEG_HEAD]);

function previewWithMetadata(prompt_id: string, node_id: string): Buffer {
  const about = { node_id, prompt_id, display_node_id: node_id, parent_node_id: null, real_node_id: node_id };
  const json = Buffer.from(JSON.stringify({ ...about, image_type: "image/jpeg" }));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4, 0);
  head.writeUInt32BE(json.length, 4);
  return Buffer.concat([head, json, JPEG_HEAD]);
}

function empty(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/octet-stream", "content-length": "0" }).end();
}

function trouble(response: ServerResponse): void {
  response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
  response.end("500 Internal Server Error\n\nServer got itself in trouble");
}
