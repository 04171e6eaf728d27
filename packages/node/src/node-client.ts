import { type Capabilities, FOREIGN_NODE_ID, PREVIEW_BYTES_MAX } from "@genai/protocol";
import type { Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import { WebSocket } from "ws";
import { AttemptRunner } from "./attempt-runner.ts";
import type { Engine } from "./engines/engine.ts";
import { FinishedResults, type UploadOrder } from "./finished-results.ts";
import { readServerFrame } from "./server-frame-reader.ts";
import type { NodeEffect } from "./session/node-effect.ts";
import type { NodeInput } from "./session/node-input.ts";
import { NodeSession } from "./session/node-session.ts";
import type { Spool, SpoolRecord } from "./spool/spool.ts";
import { v1Final, v1Register } from "./v1-messages.ts";

export interface NodeClientOptions {
  /** ws: or wss: URL of the server. */
  readonly backend: string;
  /** Join token, or null. */
  readonly token: string | null;
  readonly nodeId: string;
  readonly bootId: string;
  readonly slots: number;
  readonly capabilities: Capabilities;
  readonly engine: Engine;
  readonly spool: Spool;
  readonly kept: readonly SpoolRecord[];
  /** Leave after the first task. Default false. */
  readonly once?: boolean;
  /** The engine went down during a task. */
  readonly engineDown?: () => void;
  readonly logger: Logger;
  readonly tracing: Tracing;
}

/** Longest frame that is read: a v1 server puts whole input images into its frames. */
const FRAME_BYTES_MAX = 128 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;
/** With more unsent bytes than this, progress and previews are dropped. */
const CONGESTED_BYTES = 1024 * 1024;

/** The shell around the node's session: socket, engine, clock and disk. */
export class NodeClient {
  readonly #options: NodeClientOptions;
  readonly #session: NodeSession;
  readonly #runner: AttemptRunner;
  readonly #results: FinishedResults;
  #capabilities: Capabilities;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #over: (() => void) | null = null;
  #isWarnedOfId = false;

  constructor(options: NodeClientOptions) {
    this.#options = options;
    this.#capabilities = options.capabilities;
    const { nodeId, bootId, slots, capabilities, kept, spool, tracing, logger } = options;
    this.#results = new FinishedResults({ spool, tracing, logger, resolveUrl: (url) => this.#resolveUrl(url) });
    for (const record of kept) this.#results.keep(record);
    this.#session = new NodeSession({ nodeId, bootId, slots, capabilities, kept });
    this.#runner = new AttemptRunner(
      options.engine,
      options.spool,
      {
        progressed: (attemptId, value, stage) => this.#feed({ type: "progressed", attemptId, value, stage }),
        previewed: (attemptId, mime, bytes) => this.#feed({ type: "previewed", attemptId, mime, bytes }),
        finished: (record) => {
          this.#results.keep(record);
          this.#feed({ type: "finished", attemptId: record.final.attemptId, final: record.final });
        },
        stopped: (attemptId) => this.#feed({ type: "stopped", attemptId }),
        engineDown: () => options.engineDown?.(),
      },
      options.logger,
      options.tracing,
    );
  }

  /** Connects, and stays connected until it has drained or left. Resolves then. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#over = resolve;
      this.#feed({ type: "started" });
    });
  }

  /** Accepts no more work, and leaves once everything running is done and delivered. */
  drain(): void {
    this.#feed({ type: "drain" });
  }

  /** Hands back what is running and leaves immediately. */
  leave(): void {
    this.#feed({ type: "leave" });
  }

  capabilitiesChanged(capabilities: Capabilities): void {
    this.#capabilities = capabilities;
    this.#feed({ type: "capabilitiesChanged", capabilities });
  }

  /** For the status page. */
  get status(): { readonly phase: string; readonly attempts: NodeSession["attempts"] } {
    return { phase: this.#session.phase, attempts: this.#session.attempts };
  }

  #feed(input: NodeInput): void {
    const effects = this.#session.step(performance.now(), input);
    for (const effect of effects) this.#carryOut(effect);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const deadlineMs = this.#session.nextDeadlineMs();
    if (deadlineMs === null || !Number.isFinite(deadlineMs)) return;
    this.#timer = setTimeout(
      () => this.#feed({ type: "tick" }),
      Math.max(0, Math.ceil(deadlineMs - performance.now())),
    );
  }

  #carryOut(effect: NodeEffect): void {
    switch (effect.type) {
      case "connect":
        this.#connect();
        break;
      case "close":
        this.#closeSocket(effect.code, effect.reason);
        break;
      case "send":
        if (!effect.droppable || !this.#isCongested()) this.#sendText(JSON.stringify(effect.frame));
        break;
      case "sendPreview": {
        if (this.#isCongested() || effect.bytes.length > PREVIEW_BYTES_MAX) break;
        const base64 = Buffer.from(effect.bytes).toString("base64");
        this.#sendText(JSON.stringify({ type: "preview", attemptId: effect.attemptId, mime: effect.mime, base64 }));
        break;
      }
      case "ping":
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.ping();
        break;
      case "sendV1Register":
        this.#options.logger.info("the server speaks v1");
        this.#sendText(JSON.stringify(v1Register(this.#options.nodeId, this.#capabilities)));
        break;
      case "sendV1Final":
        void this.#sendV1Final(effect.attemptId);
        break;
      case "sendV1Close":
        this.#sendText("close");
        break;
      case "run":
        this.#runner.start(effect.order, (url) => this.#resolveUrl(url));
        if (this.#options.once) queueMicrotask(() => this.drain());
        break;
      case "abort":
        this.#runner.abort(effect.attemptId);
        break;
      case "upload":
        void this.#upload(effect);
        break;
      case "forget":
        this.#results.forget(effect.attemptId);
        break;
      case "exit":
        void this.#exit();
        break;
      default:
        effect satisfies never;
    }
  }

  #connect(): void {
    const { backend, token, logger } = this.#options;
    const socket = new WebSocket(backend, {
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      ...(token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    this.#socket = socket;
    const isCurrent = (): boolean => this.#socket === socket;
    socket.on("open", () => {
      logger.info("connected");
      if (isCurrent()) this.#feed({ type: "opened" });
    });
    socket.on("message", (data, isBinary) => {
      if (!isCurrent()) return;
      this.#feed({ type: "heard" });
      const input = isBinary ? null : readServerFrame(String(data));
      if (input === null) logger.warn("a frame that can't be read was ignored");
      else this.#feed(input);
    });
    for (const event of ["ping", "pong"] as const) {
      socket.on(event, () => {
        if (isCurrent()) this.#feed({ type: "heard" });
      });
    }
    socket.on("error", (error) => logger.warn({ reason: connectionFault(error.message) }, "the connection failed"));
    socket.on("close", (code, reason) => {
      if (!isCurrent()) return;
      this.#socket = null;
      const said = reason.toString();
      logger.info({ code, reason: said }, "disconnected");
      if (code === 1008 && said === FOREIGN_NODE_ID) this.#warnOfId();
      // 1006 is no code of the server's: the connection broke.
      this.#feed({ type: "closed", code: code === 1006 ? null : code, reason: said });
    });
  }

  /** Once: it comes back every minute. */
  #warnOfId(): void {
    if (this.#isWarnedOfId) return;
    this.#isWarnedOfId = true;
    const { nodeId, logger } = this.#options;
    logger.warn(
      { nodeId },
      "the server refused this node's id, which another node has: give this one its own with --node-id",
    );
  }

  #closeSocket(code: number, reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    // 1006 is no code to send: there is nobody to hear it.
    if (code === 1006 || socket.readyState === WebSocket.CONNECTING) socket.terminate();
    else {
      socket.close(code, reason);
      setTimeout(() => socket.terminate(), 2_000).unref();
    }
  }

  #sendText(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #isCongested(): boolean {
    return (this.#socket?.bufferedAmount ?? 0) > CONGESTED_BYTES;
  }

  async #upload(order: UploadOrder): Promise<void> {
    const { attemptId } = order;
    const end = await this.#results.upload(order);
    if (end === "uploaded") this.#feed({ type: "uploaded", attemptId });
    else if (end !== null) this.#feed({ type: "uploadFailed", attemptId, isBusy: end === "busy" });
  }

  async #sendV1Final(attemptId: string): Promise<void> {
    const final = this.#results.get(attemptId);
    const socket = this.#socket;
    if (final === undefined || socket?.readyState !== WebSocket.OPEN) return;
    try {
      const pathOf = (n: number): string => this.#options.spool.artifactPath(attemptId, n);
      const text = JSON.stringify(await v1Final(final, pathOf));
      socket.send(text, (error) => {
        // v1 knows no ack: what the socket took is delivered.
        if (error == null) this.#feed({ type: "deliveredV1", attemptId });
      });
    } catch (error) {
      this.#options.logger.error({ err: error, attemptId }, "a kept picture can't be read");
      this.#feed({ type: "deliveredV1", attemptId });
    }
  }

  /** URLs of the server may be paths on the origin that its socket is on. */
  #resolveUrl(url: string): string {
    const origin = this.#options.backend.replace(/^ws/, "http");
    return new URL(url, origin).href;
  }

  async #exit(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#runner.close();
    await this.#results.removed();
    this.#over?.();
  }
}

/** The WebSocket library's words for a refused upgrade say nothing of what to do. */
function connectionFault(message: string): string {
  return message.endsWith("server response: 401")
    ? "the server did not take this node's credentials (401): --token or NODE_TOKEN is missing or wrong, or node.key in its home was revoked"
    : message;
}
