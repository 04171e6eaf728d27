import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type WebSocket, WebSocketServer } from "ws";

/** What goes wrong on purpose. */
export interface ComfyFaults {
  /** Cut the event socket right after this many events of a run. */
  cutSocketAfter?: number;
  /** `/history` answers empty this many times after the end. */
  historyLag?: number;
  /** The prompt is deleted from the queue by somebody else. */
  vanish?: boolean;
  /** Answer this to every request from now on. */
  status?: number;
  /** Never finish by itself. */
  hang?: boolean;
  /** Events of the run are sent before the POST is answered. */
  eventsFirst?: boolean;
}

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);
const JPEG_PREVIEW = Buffer.concat([
  Buffer.from("0000000100000001", "hex"),
  Buffer.from("ffd8ffe000104a464946", "hex"),
]);

interface Run {
  readonly id: string;
  readonly graph: Record<string, { class_type: string; inputs: Record<string, unknown> }>;
  readonly clientId: string | undefined;
  interrupted: boolean;
  wake: () => void;
}

/** ComfyUI without a GPU: its HTTP and event frames as two real versions were observed to send them, `new` of October 2025 and `old` of
 *  March 2024. It runs LoadImage, EmptyImage, ImageInvert, SaveImage, PreviewImage and a stand-in for KSampler. */
export class FakeComfyUi {
  readonly faults: ComfyFaults = {};
  readonly posted: Run["graph"][] = [];
  readonly uploads = new Map<string, Buffer>();
  readonly interrupts: string[] = [];
  readonly deleted: string[] = [];
  readonly url: string;
  readonly #version: "new" | "old";
  readonly #http: ReturnType<typeof createServer>;
  readonly #sockets = new Map<string, WebSocket>();
  readonly #history = new Map<string, unknown>();
  readonly #pending: Run[] = [];
  #running: Run | null = null;
  #number = 0;
  #events = 0;

  private constructor(version: "new" | "old", http: ReturnType<typeof createServer>) {
    this.#version = version;
    this.#http = http;
    this.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    http.on("request", (request, response) => void this.#answer(request, response));
    const sockets = new WebSocketServer({ server: http, path: "/ws" });
    sockets.on("connection", (socket, request) => this.#greet(socket, request));
  }

  static async start(version: "new" | "old"): Promise<FakeComfyUi> {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    return new FakeComfyUi(version, http);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.values()) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  get isNew(): boolean {
    return this.#version === "new";
  }

  #greet(socket: WebSocket, request: IncomingMessage): void {
    const sid = new URL(request.url ?? "", this.url).searchParams.get("clientId") ?? "";
    this.#sockets.set(sid, socket);
    socket.send(
      JSON.stringify({ type: "status", data: { status: { exec_info: { queue_remaining: this.#remaining() } }, sid } }),
    );
    if (this.#running?.clientId === sid) socket.send(JSON.stringify({ type: "executing", data: { node: "3" } }));
    socket.on("close", () => {
      if (this.#sockets.get(sid) === socket) this.#sockets.delete(sid);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
    };
    const empty = (status: number): void => {
      response.writeHead(status, { "content-type": "application/octet-stream", "content-length": "0" }).end();
    };
    if (this.faults.status !== undefined) {
      response.writeHead(this.faults.status, { "content-type": "text/plain; charset=utf-8" });
      response.end("500 Internal Server Error\n\nServer got itself in trouble");
      return;
    }
    const body = await buffer(request);
    const text = body.toString("utf8");
    if (pathname === "/system_stats") return json(200, this.#stats());
    if (pathname === "/object_info") return json(200, OBJECT_INFO);
    if (pathname === "/queue" && request.method === "GET") return json(200, this.#queue());
    if (pathname === "/queue") {
      for (const id of (JSON.parse(text) as { delete?: string[] }).delete ?? []) this.#delete(id);
      return empty(200);
    }
    if (pathname === "/interrupt") {
      const target = (JSON.parse(text || "{}") as { prompt_id?: string }).prompt_id;
      this.interrupts.push(target ?? "(global)");
      if (this.#running !== null && (!this.isNew || target === undefined || target === this.#running.id)) {
        this.#running.interrupted = true;
        this.#running.wake();
      }
      return empty(200);
    }
    if (pathname.startsWith("/history/")) return json(200, this.#historyOf(pathname.slice("/history/".length)));
    if (pathname === "/view") {
      const name = searchParams.get("filename") ?? "";
      if (!name.endsWith(".png")) return empty(404);
      response.writeHead(200, { "content-type": "image/png" }).end(PNG);
      return;
    }
    if (pathname === "/upload/image") return json(200, this.#upload(text, body));
    if (pathname === "/prompt" && request.method === "POST") {
      this.#post(text, json, response);
      return;
    }
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("404: Not Found");
  }

  #upload(text: string, body: Buffer): unknown {
    const name = /filename="([^"]+)"/.exec(text)?.[1] ?? "";
    const start = body.indexOf("\r\n\r\n", body.indexOf("filename=")) + 4;
    this.uploads.set(name, body.subarray(start, body.indexOf("\r\n--", start)));
    return { name, subfolder: "", type: "input" };
  }

  #post(text: string, json: (status: number, value: unknown) => void, response: ServerResponse): unknown {
    const body = JSON.parse(text) as { prompt: Run["graph"]; client_id?: string; prompt_id?: string };
    this.#number += 1;
    for (const [id, node] of Object.entries(body.prompt)) {
      if (node.class_type in OBJECT_INFO) continue;
      if (!this.isNew) {
        response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
        response.end("500 Internal Server Error\n\nServer got itself in trouble");
        return undefined;
      }
      const error = {
        type: "invalid_prompt",
        message: `Cannot execute because node ${node.class_type} does not exist.`,
        details: `Node ID '#${id}'`,
        extra_info: {},
      };
      return json(400, { error, node_errors: {} });
    }
    const outputs = Object.entries(body.prompt).filter(([, node]) => /^(Save|Preview)Image$/.test(node.class_type));
    const missing = Object.entries(body.prompt).find(
      ([, node]) =>
        node.class_type === "LoadImage" &&
        !this.uploads.has(String(node.inputs.image)) &&
        node.inputs.image !== "corrupt.png",
    );
    if (missing !== undefined) {
      const [id] = missing;
      const details = `image - Invalid image file: ${missing[1].inputs.image}`;
      const errors = [
        {
          type: "custom_validation_failed",
          message: "Custom validation failed for node",
          details,
          extra_info: { input_name: "image" },
        },
      ];
      const dependent_outputs = outputs.map(([output]) => output);
      const error = {
        type: "prompt_outputs_failed_validation",
        message: "Prompt outputs failed validation",
        details: "",
        extra_info: {},
      };
      return json(400, { error, node_errors: { [id]: { errors, dependent_outputs, class_type: "LoadImage" } } });
    }
    if (outputs.length === 0) {
      const error = { type: "prompt_no_outputs", message: "Prompt has no outputs", details: "", extra_info: {} };
      return json(400, { error, node_errors: this.isNew ? {} : [] });
    }
    this.posted.push(body.prompt);
    const id = this.isNew && body.prompt_id !== undefined ? body.prompt_id : crypto.randomUUID();
    const run: Run = { id, graph: body.prompt, clientId: body.client_id, interrupted: false, wake: () => {} };
    const answer = (): void => json(200, { prompt_id: id, number: this.#number, node_errors: {} });
    this.#pending.push(run);
    if (!this.faults.eventsFirst) answer();
    this.#status();
    setImmediate(() => {
      void this.#work().finally(() => {
        if (this.faults.eventsFirst) answer();
      });
    });
    return undefined;
  }

  async #work(): Promise<void> {
    const run = this.#running === null ? this.#pending.shift() : undefined;
    if (run === undefined) return;
    this.#running = run;
    this.#events = 0;
    const prompt_id = run.id;
    const stamp = this.isNew ? { timestamp: 1_795_415_154_488 } : {};
    this.#status();
    // Another prompt's events reach everybody when it has no client id.
    this.#broadcast({ type: "progress", data: { value: 1, max: 1, prompt_id: "somebody-else", node: "9" } });
    this.#tell(run, { type: "execution_start", data: { prompt_id, ...stamp } });
    this.#tell(run, { type: "execution_cached", data: { nodes: [], prompt_id, ...stamp } });
    const messages: unknown[] = [
      ["execution_start", { prompt_id, ...stamp }],
      ["execution_cached", { nodes: [], prompt_id, ...stamp }],
    ];
    const outputs: Record<string, unknown> = {};
    let failed = false;
    for (const [id, node] of Object.entries(run.graph)) {
      this.#tell(run, {
        type: "executing",
        data: { node: id, ...(this.isNew ? { display_node: id } : {}), prompt_id },
      });
      if (node.class_type === "KSampler") await this.#sample(run, id, Number(node.inputs.steps));
      if (this.faults.hang && !run.interrupted) await new Promise<void>((wake) => Object.assign(run, { wake }));
      if (run.interrupted) {
        const data = { prompt_id, node_id: id, node_type: node.class_type, executed: [], ...stamp };
        this.#tell(run, { type: "execution_interrupted", data });
        messages.push(["execution_interrupted", data]);
        failed = true;
        break;
      }
      if (node.inputs.image === "corrupt.png") {
        const data = {
          ...{ prompt_id, node_id: id, node_type: node.class_type, executed: [] },
          exception_message: `cannot identify image file '/input/corrupt.png'${this.isNew ? "\n" : ""}`,
          exception_type: "PIL.UnidentifiedImageError",
          traceback: ['  File "/nodes.py", line 1, in load_image\n'],
          current_inputs: { image: ["corrupt.png"] },
          current_outputs: this.isNew ? ["1", "2"] : {},
          ...stamp,
        };
        this.#tell(run, { type: "execution_error", data });
        messages.push(["execution_error", data]);
        failed = true;
        break;
      }
      if (/^(Save|Preview)Image$/.test(node.class_type)) {
        const type = node.class_type === "SaveImage" ? "output" : "temp";
        const count = Number(node.inputs.count ?? 1);
        const images = Array.from({ length: count }, (_, n) => ({
          filename: `genai_0000${n + 1}_.png`,
          subfolder: id,
          type,
        }));
        outputs[id] = { images };
        this.#tell(run, { type: "executed", data: { node: id, output: { images }, prompt_id } });
      }
    }
    if (this.faults.vanish) {
      this.#running = null;
      return;
    }
    if (!failed && this.isNew) {
      this.#tell(run, { type: "execution_success", data: { prompt_id, ...stamp } });
      messages.push(["execution_success", { prompt_id, ...stamp }]);
    }
    const status = { status_str: failed ? "error" : "success", completed: !failed, messages };
    this.#history.set(prompt_id, { prompt: [1, prompt_id, run.graph, {}, []], outputs: failed ? {} : outputs, status });
    this.#running = null;
    this.#status();
    this.#tell(run, { type: "executing", data: { node: null, prompt_id } });
    await this.#work();
  }

  async #sample(run: Run, node: string, steps: number): Promise<void> {
    for (let value = 1; value <= steps && !run.interrupted; value++) {
      this.#tell(run, { type: "progress", data: { value, max: steps, prompt_id: run.id, node } });
      this.#sockets.get(run.clientId ?? "")?.send(this.isNew ? this.#previewWithMetadata(run.id, node) : JPEG_PREVIEW);
      await new Promise((next) => setImmediate(next));
    }
  }

  #previewWithMetadata(prompt_id: string, node: string): Buffer {
    const about = Buffer.from(
      JSON.stringify({ node_id: node, prompt_id, display_node_id: node, real_node_id: node, image_type: "image/jpeg" }),
    );
    const head = Buffer.alloc(8);
    head.writeUInt32BE(4, 0);
    head.writeUInt32BE(about.length, 4);
    return Buffer.concat([head, about, Buffer.from("ffd8ffe000104a464946", "hex")]);
  }

  #tell(run: Run, message: unknown): void {
    const socket = this.#sockets.get(run.clientId ?? "");
    socket?.send(JSON.stringify(message));
    this.#events += 1;
    if (this.#events === this.faults.cutSocketAfter) {
      socket?.terminate();
      this.#sockets.delete(run.clientId ?? "");
    }
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
    const item = (run: Run): unknown[] => [1, run.id, run.graph, { client_id: run.clientId }, []];
    return {
      queue_running: this.#running === null ? [] : [item(this.#running)],
      queue_pending: this.#pending.map(item),
    };
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
    if ((this.faults.historyLag ?? 0) > 0) {
      this.faults.historyLag = (this.faults.historyLag ?? 0) - 1;
      // An entry that lags is still in the queue, as seen from outside.
      return {};
    }
    return { [id]: entry };
  }

  #stats(): unknown {
    const system = { os: "posix", python_version: "3.11.2", embedded_python: false };
    const device = {
      name: "cuda:0 NVIDIA GeForce RTX 4090",
      type: "cuda",
      index: 0,
      vram_total: 25_276_063_744,
      vram_free: 1,
    };
    return { system: this.isNew ? { ...system, comfyui_version: "0.3.64" } : system, devices: [device] };
  }
}

const plain = (required: Record<string, unknown> = {}): unknown => ({ input: { required } });

const OBJECT_INFO: Record<string, unknown> = {
  ...Object.fromEntries(
    [
      "LoadImage",
      "EmptyImage",
      "ImageInvert",
      "ImageScale",
      "SaveImage",
      "PreviewImage",
      "KSampler",
      "EmptyLatentImage",
    ].map((name) => [name, plain()]),
  ),
  ...Object.fromEntries(
    ["CLIPTextEncode", "VAEDecode", "VAEEncode", "RepeatLatentBatch"].map((name) => [name, plain()]),
  ),
  CheckpointLoaderSimple: plain({ ckpt_name: [["sd15/DreamShaper_8.safetensors", "sdxl_base.safetensors"]] }),
  LoraLoader: plain({ lora_name: ["COMBO", { options: ["detail.safetensors"] }] }),
};
