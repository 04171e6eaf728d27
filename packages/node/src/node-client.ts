import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { type Capabilities, PREVIEW_BYTES_MAX } from "@genai/protocol";
import type { Span, Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import { WebSocket } from "ws";
import { AttemptRunner } from "./attempt-runner.ts";
import type { Engine } from "./engines/engine.ts";
import { readServerFrame } from "./server-frame-reader.ts";
import type { NodeEffect } from "./session/node-effect.ts";
import type { NodeInput } from "./session/node-input.ts";
import { NodeSession } from "./session/node-session.ts";
import type { Spool, SpoolRecord } from "./spool/spool.ts";
import { type UploadOutcome, upload } from "./upload.ts";

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
  /** The engine went away under a task. */
  readonly engineDown?: () => void;
  readonly logger: Logger;
  readonly tracing: Tracing;
}

/** Longest frame that is read: a v1 server puts whole input images into its frames. */
const FRAME_BYTES_MAX = 128 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;
/** With more than this unsent, progress and previews are left out. */
const CONGESTED_BYTES = 1024 * 1024;

/** The shell around the node's session: one socket, one engine, the clock and the disk. */
export class NodeClient {
  readonly #options: NodeClientOptions;
  readonly #session: NodeSession;
  readonly #runner: AttemptRunner;
  readonly #uploads = new Map<string, AbortController>();
  readonly #finals = new Map<string, SpoolRecord>();
  /** From the disk of the node to the server's word that it has it. */
  readonly #deliveries = new Map<string, Span>();
  /** Removals from the disk that are on their way: the process ends after them. */
  readonly #removals = new Set<Promise<void>>();
  #capabilities: Capabilities;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #over: (() => void) | null = null;

  constructor(options: NodeClientOptions) {
    this.#options = options;
    this.#capabilities = options.capabilities;
    for (const record of options.kept) this.#keepFinal(record);
    const { nodeId, bootId, slots, capabilities, kept } = options;
    this.#session = new NodeSession({ nodeId, bootId, slots, capabilities, kept });
    this.#runner = new AttemptRunner(
      options.engine,
      options.spool,
      {
        progressed: (attemptId, value, stage) => this.#feed({ type: "progressed", attemptId, value, stage }),
        previewed: (attemptId, mime, bytes) => this.#feed({ type: "previewed", attemptId, mime, bytes }),
        finished: (attemptId, final, traceparent) => {
          this.#keepFinal({ final, uploadUrl: null, traceparent });
          this.#feed({ type: "finished", attemptId, final });
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

  /** Takes no more work and leaves when what runs is done and delivered. */
  drain(): void {
    this.#feed({ type: "drain" });
  }

  /** Hands back what runs and leaves at once. */
  leave(): void {
    this.#feed({ type: "leave" });
  }

  capabilitiesChanged(capabilities: Capabilities): void {
    this.#capabilities = capabilities;
    this.#feed({ type: "capabilitiesChanged", capabilities });
  }

  /** How it stands, for the status page. */
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
    const { spool } = this.#options;
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
        this.#sendText(JSON.stringify(this.#v1Register()));
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
        this.#uploads.get(effect.attemptId)?.abort();
        this.#finals.delete(effect.attemptId);
        this.#deliveries.get(effect.attemptId)?.end();
        this.#deliveries.delete(effect.attemptId);
        this.#remove(spool, effect.attemptId);
        break;
      case "exit":
        void this.#exit();
        break;
      default:
        effect satisfies never;
    }
  }

  // ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
      logger.info({ code, reason: reason.toString() }, "disconnected");
      // 1006 is no code of the server's: the connection broke.
      this.#feed({ type: "closed", code: code === 1006 ? null : code });
    });
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

  #keepFinal(record: SpoolRecord): void {
    const { attemptId } = record.final;
    this.#finals.set(attemptId, record);
    const span = this.#options.tracing.start("deliver the result", {
      parent: record.traceparent,
      attributes: { "genai.attempt.id": attemptId },
    });
    this.#deliveries.set(attemptId, span);
  }

  // ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #upload(effect: Extract<NodeEffect, { type: "upload" }>): Promise<void> {
    const { attemptId, uploadUrl, missing } = effect;
    const { final, traceparent } = this.#finals.get(attemptId) ?? { final: null, traceparent: null };
    if (final?.type !== "result" || uploadUrl === null) {
      this.#feed({ type: "uploaded", attemptId });
      return;
    }
    if (this.#uploads.has(attemptId)) return;
    const controller = new AbortController();
    this.#uploads.set(attemptId, controller);
    let failed = false;
    try {
      const numbers = missing ?? final.artifacts.keys();
      for (const n of numbers) {
        const artifact = final.artifacts[n];
        if (artifact === undefined) continue;
        const url = this.#resolveUrl(uploadUrl.replace("{n}", String(n)));
        const path = this.#options.spool.artifactPath(attemptId, n);
        const span = this.#options.tracing.start("upload", {
          parent: traceparent,
          kind: "client",
          attributes: { "genai.attempt.id": attemptId, "genai.artifact": n, "genai.bytes": artifact.bytes },
        });
        let outcome: UploadOutcome = "failed";
        try {
          outcome = await upload(path, url, { ...artifact, traceparent: span.traceparent }, controller.signal);
        } finally {
          span.end({ failure: outcome === "uploaded" ? null : outcome });
        }
        // A server that does not want the picture says so in its answer to the result.
        if (outcome === "refused") break;
        if (outcome === "failed") {
          this.#options.logger.warn({ attemptId, n }, "an upload failed; it is tried again later");
          failed = true;
          break;
        }
      }
    } catch (error) {
      this.#options.logger.error({ err: error, attemptId }, "a kept picture can't be read");
    } finally {
      this.#uploads.delete(attemptId);
    }
    this.#feed({ type: failed ? "uploadFailed" : "uploaded", attemptId });
  }

  async #sendV1Final(attemptId: string): Promise<void> {
    const final = this.#finals.get(attemptId)?.final;
    const socket = this.#socket;
    if (final === undefined || socket?.readyState !== WebSocket.OPEN) return;
    try {
      const text = JSON.stringify(await this.#v1Final(final));
      socket.send(text, (error) => {
        // v1 knows no ack: what the socket took is delivered.
        if (error == null) this.#feed({ type: "deliveredV1", attemptId });
      });
    } catch (error) {
      this.#options.logger.error({ err: error, attemptId }, "a kept picture can't be read");
      this.#feed({ type: "deliveredV1", attemptId });
    }
  }

  async #v1Final(final: SpoolRecord["final"]): Promise<unknown> {
    const taskId = final.attemptId;
    if (final.type === "error") return { type: "error", status: "error", taskId, error: final.message };
    const resultsUrl: string[] = [];
    for (const [n, { mime }] of final.artifacts.entries()) {
      const bytes = await readFile(this.#options.spool.artifactPath(taskId, n));
      resultsUrl.push(`data:${mime};base64,${bytes.toString("base64")}`);
    }
    return { type: "result", status: "ready", taskId, resultsUrl };
  }

  #v1Register(): unknown {
    const { models, gpuType } = this.#capabilities;
    return {
      type: "register",
      node_id: this.#options.nodeId,
      metadata: { models, ...(gpuType === null ? {} : { gpu_type: gpuType }), ncpu: cpus().length, ram: totalmem() },
    };
  }

  /** URLs of the server may be paths on the origin that its socket is on. */
  #resolveUrl(url: string): string {
    const origin = this.#options.backend.replace(/^ws/, "http");
    return new URL(url, origin).href;
  }

  #remove(spool: Spool, attemptId: string): void {
    const removal = spool
      .remove(attemptId)
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error, attemptId }, "a delivered result could not be removed");
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #exit(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#runner.close();
    await Promise.all(this.#removals);
    this.#over?.();
  }
}

/** The WebSocket library's words for a refused upgrade say nothing of what to do. */
function connectionFault(message: string): string {
  return message.endsWith("server response: 401")
    ? "the server did not take this node's credentials (401): --token or NODE_TOKEN is missing or wrong, or node.key in its home was revoked"
    : message;
}
