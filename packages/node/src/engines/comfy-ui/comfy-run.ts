import { randomUUID } from "node:crypto";
import type { EngineReport } from "../engine.ts";
import { EngineHttpError } from "../engine-http-error.ts";
import type { EngineHttp } from "../http-client.ts";
import { WATCH_DEFAULTS, type WatchedCallOptions } from "../watched-call.ts";
import { ComfySocket } from "./comfy-socket.ts";
import { nodeErrorsText, refusalText } from "./error-text.ts";
import type { Graph } from "./graph.ts";
import { type ComfyMessage, type ComfyPreview, HistoryEntry, PromptAccepted } from "./messages.ts";
import { GraphProgress } from "./progress.ts";

/** How a run ended, as `/history` has it. */
export type ComfyEnd =
  | { readonly type: "history"; readonly promptId: string; readonly entry: HistoryEntry; readonly warnings: string }
  /** `status` is ComfyUI's answer: 400 for a bad graph, in newer versions always. */
  | { readonly type: "refused"; readonly status: number; readonly message: string }
  /** In neither the queue nor the history: deleted by somebody, or ComfyUI was restarted. */
  | { readonly type: "vanished" }
  | { readonly type: "canceled" };

export interface ComfyRunOptions extends Partial<WatchedCallOptions> {
  /** How long a prompt may be in neither the queue nor the history before it counts as lost, in milliseconds. Default 2 000: the move
   *  from one to the other is atomic, but two looks at them are not. */
  readonly absentMs?: number;
}

/** Behind the socket: it tells the end at once, so this need only be often enough to notice a lost end and a dead engine. */
const POLL_MS = 5_000;
const ABSENT_MS = 2_000;
/** And so many looks in a row must have found it nowhere: on a busy machine the time alone may pass between two of them. */
const ABSENT_LOOKS = 3;
/** An engine that refuses connections for so long is gone, and has lost its queue even if it should come back. */
const REFUSED_MS = 1_000;
/** Between two looks for a prompt that was not where it should be. */
const LOOK_AGAIN_MS = 100;
/** Events that are kept until the answer to the post tells whose they are. */
const EARLY_MAX = 1_000;

/** Runs one graph: listens before posting, waits for the end on the socket and by polling, and takes the truth from `/history`. */
export async function runComfyGraph(
  http: EngineHttp,
  graph: Graph,
  report: EngineReport,
  signal: AbortSignal,
  options: ComfyRunOptions = {},
): Promise<ComfyEnd> {
  return new ComfyRun(http, graph, report, signal, options).run();
}

class ComfyRun {
  readonly #http: EngineHttp;
  readonly #graph: Graph;
  readonly #report: EngineReport;
  readonly #signal: AbortSignal;
  readonly #options: Required<ComfyRunOptions>;
  readonly #clientId = randomUUID();
  readonly #progress: GraphProgress;
  /** Events may come before the answer to the post: they are kept until the id is known. */
  #early: (ComfyMessage | ComfyPreview)[] = [];
  #promptId: string | null = null;
  #executing = false;
  #socket: ComfySocket | null = null;
  #wake: (() => void) | null = null;
  /** When the engine was told to stop, or infinity. */
  #canceledAtMs = Number.POSITIVE_INFINITY;
  #heardAtMs = performance.now();

  constructor(http: EngineHttp, graph: Graph, report: EngineReport, signal: AbortSignal, options: ComfyRunOptions) {
    this.#http = http;
    this.#graph = graph;
    this.#report = report;
    this.#signal = signal;
    this.#options = { ...WATCH_DEFAULTS, pollMs: POLL_MS, absentMs: ABSENT_MS, ...options };
    this.#progress = new GraphProgress(Object.keys(graph));
  }

  async run(): Promise<ComfyEnd> {
    const onAbort = (): void => this.#wake?.();
    this.#signal.addEventListener("abort", onAbort);
    try {
      this.#socket = await this.#openSocket();
      const posted = await this.#post();
      if (posted.type === "refused") return posted;
      return await this.#wait(posted.promptId, posted.warnings);
    } catch (error) {
      if (this.#signal.aborted) return { type: "canceled" };
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
      this.#socket?.close();
    }
  }

  #openSocket(): Promise<ComfySocket> {
    return ComfySocket.open(
      this.#http,
      this.#clientId,
      {
        message: (message) => this.#hear(message),
        preview: (preview) => this.#hear(preview),
        closed: () => {
          this.#socket = null;
          this.#wake?.();
        },
      },
      this.#signal,
    );
  }

  async #post(): Promise<
    { type: "posted"; promptId: string; warnings: string } | { type: "refused"; status: number; message: string }
  > {
    this.#signal.throwIfAborted();
    const body = JSON.stringify({
      prompt: this.#graph,
      client_id: this.#clientId,
      // Newer servers take our id; older ones ignore it and answer with their own.
      prompt_id: randomUUID(),
    });
    // Not aborted half-way: a prompt that was taken must be known, to be stopped.
    const { status, text } = await this.#http.call("/prompt", {
      method: "POST",
      body,
      contentType: "application/json",
    });
    if (status !== 200) return { type: "refused", status, message: refusalText(status, text) };
    let accepted: PromptAccepted;
    try {
      accepted = PromptAccepted.parse(JSON.parse(text));
    } catch (cause) {
      throw new EngineHttpError(`ComfyUI's answer can't be read: ${text.slice(0, 200) || "(nothing)"}`, "wrong", {
        cause,
      });
    }
    this.#promptId = accepted.prompt_id;
    for (const early of this.#early.splice(0)) this.#hear(early);
    return { type: "posted", promptId: accepted.prompt_id, warnings: nodeErrorsText(accepted.node_errors) };
  }

  /** Waits for the end: woken by the socket, by its loss, by a cancel, and every few seconds in any case. */
  async #wait(promptId: string, warnings: string): Promise<ComfyEnd> {
    const { pollMs, silenceMs, cancelMs, absentMs } = this.#options;
    let absentSinceMs: number | null = null;
    let absentLooks = 0;
    this.#heardAtMs = performance.now();
    for (;;) {
      const canceling = this.#signal.aborted;
      if (canceling) {
        this.#canceledAtMs = Math.min(this.#canceledAtMs, performance.now());
        // Again at each look: an interrupt that came before the prompt had begun is forgotten by the engine.
        await this.#cancel(promptId);
      }
      try {
        const entry = await this.#history(promptId);
        if (entry !== null) return canceling ? { type: "canceled" } : { type: "history", promptId, entry, warnings };
        const queued = await this.#isIn(["queue_running", "queue_pending"], promptId);
        this.#heardAtMs = performance.now();
        absentSinceMs = queued ? null : (absentSinceMs ?? this.#heardAtMs);
        absentLooks = queued ? 0 : absentLooks + 1;
        if (absentSinceMs !== null && canceling) return { type: "canceled" };
        if (absentSinceMs !== null && absentLooks >= ABSENT_LOOKS && this.#heardAtMs - absentSinceMs >= absentMs)
          return { type: "vanished" };
      } catch (error) {
        const gone = error instanceof EngineHttpError && error.isRefused;
        if (performance.now() - this.#heardAtMs >= (gone ? Math.min(REFUSED_MS, silenceMs) : silenceMs)) {
          if (canceling) return { type: "canceled" };
          throw error;
        }
      }
      // A node of the graph that looks for no interrupt goes on for as long as it likes; nobody waits for it.
      if (performance.now() - this.#canceledAtMs >= cancelMs) return { type: "canceled" };
      if (this.#socket === null) this.#socket = await this.#openSocket().catch(() => null);
      await this.#sleep(absentSinceMs === null ? (canceling ? Math.min(pollMs, 1_000) : pollMs) : LOOK_AGAIN_MS);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wake = wake;
    });
  }

  async #history(promptId: string): Promise<HistoryEntry | null> {
    const answer = (await this.#http.json(`/history/${promptId}`, this.#limited())) as Record<string, unknown>;
    return Object.hasOwn(answer, promptId) ? HistoryEntry.parse(answer[promptId]) : null;
  }

  async #isIn(parts: readonly ("queue_running" | "queue_pending")[], promptId: string): Promise<boolean> {
    const queue = (await this.#http.json("/queue", this.#limited())) as Record<string, unknown>;
    return parts.some((part) => {
      const items = queue[part];
      return Array.isArray(items) && items.some((item) => Array.isArray(item) && item[1] === promptId);
    });
  }

  /** Takes it out of the queue, or interrupts it. An old server interrupts whatever runs: it is asked only while ours does. */
  async #cancel(promptId: string): Promise<void> {
    const json = { method: "POST", contentType: "application/json" } as const;
    try {
      await this.#http.call("/queue", { ...json, ...this.#limited(), body: JSON.stringify({ delete: [promptId] }) });
      if (await this.#isIn(["queue_running"], promptId)) {
        await this.#http.call("/interrupt", {
          ...json,
          ...this.#limited(),
          body: JSON.stringify({ prompt_id: promptId }),
        });
      }
    } catch {
      // An engine that can't be reached runs nothing for us; the wait finds out.
    }
  }

  /** A look that an engine which hangs can't hold up. */
  #limited(): { readonly signal: AbortSignal; readonly timeoutMs: number } {
    const { lookMs } = this.#options;
    return { signal: AbortSignal.timeout(lookMs), timeoutMs: lookMs };
  }

  #hear(what: ComfyMessage | ComfyPreview): void {
    this.#heardAtMs = performance.now();
    if (this.#promptId === null) {
      if (this.#early.length < EARLY_MAX) this.#early.push(what);
      return;
    }
    if ("bytes" in what) this.#preview(what);
    else this.#message(what);
  }

  #preview({ promptId, mime, bytes }: ComfyPreview): void {
    // Without an id it is ours only while a node of ours runs.
    if (promptId === null ? !this.#executing : promptId !== this.#promptId) return;
    this.#report.preview(mime, bytes);
  }

  #message(message: ComfyMessage): void {
    if (message.type === "status") return;
    // On reconnect ComfyUI says which node runs, without saying whose.
    if (message.data.prompt_id !== this.#promptId) return;
    switch (message.type) {
      case "execution_cached":
        this.#progress.cached(message.data.nodes);
        break;
      case "executing":
        if (message.data.node === null) {
          this.#executing = false;
          this.#wake?.();
          return;
        }
        this.#executing = true;
        this.#progress.executing(message.data.node);
        break;
      case "progress":
        this.#progress.step(message.data.value, message.data.max);
        break;
    }
    const node = this.#progress.running === null ? undefined : this.#graph[this.#progress.running];
    this.#report.progress(this.#progress.value, node?.class_type ?? "");
  }
}
