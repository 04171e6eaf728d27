import { randomUUID } from "node:crypto";
import type { EngineReport } from "../engine.ts";
import { type EngineHttp, EngineHttpError } from "../http-client.ts";
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

export interface ComfyRunOptions {
  /** Behind the socket, so that a dead engine is noticed, and a lost end. Milliseconds. Default 5 000. */
  readonly pollMs?: number;
  /** Polls in a row that may fail before the engine counts as down. Default 5. */
  readonly pollFailuresMax?: number;
}

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
  readonly #pollMs: number;
  readonly #pollFailuresMax: number;
  readonly #progress: GraphProgress;
  /** Events may come before the answer to the post: they are kept until the id is known. */
  #early: (ComfyMessage | ComfyPreview)[] = [];
  #promptId: string | null = null;
  #executing = false;
  #socket: ComfySocket | null = null;
  #wake: (() => void) | null = null;
  #canceling = false;

  constructor(http: EngineHttp, graph: Graph, report: EngineReport, signal: AbortSignal, options: ComfyRunOptions) {
    this.#http = http;
    this.#graph = graph;
    this.#report = report;
    this.#signal = signal;
    this.#pollMs = options.pollMs ?? 5_000;
    this.#pollFailuresMax = options.pollFailuresMax ?? 5;
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
      if (this.#signal.aborted && !this.#canceling) return { type: "canceled" };
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
      this.#socket?.close();
    }
  }

  #openSocket(): Promise<ComfySocket> {
    return ComfySocket.open(
      this.#http.url(""),
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
      client_id: this.#socket?.clientId,
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
      throw new EngineHttpError(`ComfyUI's answer can't be read: ${text.slice(0, 200)}`, status, { cause });
    }
    this.#promptId = accepted.prompt_id;
    for (const early of this.#early.splice(0)) this.#hear(early);
    return { type: "posted", promptId: accepted.prompt_id, warnings: nodeErrorsText(accepted.node_errors) };
  }

  /** Waits for the end: woken by the socket, by its loss, by a cancel, and every few seconds in any case. */
  async #wait(promptId: string, warnings: string): Promise<ComfyEnd> {
    let failures = 0;
    let absences = 0;
    for (;;) {
      if (this.#signal.aborted && !this.#canceling) {
        this.#canceling = true;
        await this.#cancel(promptId);
      }
      try {
        const entry = await this.#history(promptId);
        if (entry !== null) {
          if (this.#canceling) return { type: "canceled" };
          return { type: "history", promptId, entry, warnings };
        }
        // The move from the queue to the history is atomic, but our two looks are not: twice absent is gone.
        absences = (await this.#isQueued(promptId)) ? 0 : absences + 1;
        if (absences >= 2) return this.#canceling ? { type: "canceled" } : { type: "vanished" };
        failures = 0;
      } catch (error) {
        failures += 1;
        if (this.#canceling && failures >= 2) return { type: "canceled" };
        if (failures >= this.#pollFailuresMax) throw error;
      }
      if (this.#socket === null) this.#socket = await this.#openSocket().catch(() => null);
      await this.#sleep(absences > 0 ? 100 : this.#pollMs);
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
    const answer = (await this.#http.json(`/history/${promptId}`)) as Record<string, unknown>;
    return Object.hasOwn(answer, promptId) ? HistoryEntry.parse(answer[promptId]) : null;
  }

  async #isQueued(promptId: string): Promise<boolean> {
    return (await this.#queueOf("queue_running", promptId)) || (await this.#queueOf("queue_pending", promptId));
  }

  async #queueOf(part: "queue_running" | "queue_pending", promptId: string): Promise<boolean> {
    const queue = (await this.#http.json("/queue")) as Record<string, unknown>;
    const items = queue[part];
    return Array.isArray(items) && items.some((item) => Array.isArray(item) && item[1] === promptId);
  }

  /** Takes it out of the queue, or interrupts it. An old server interrupts whatever runs: it is asked only while ours does. */
  async #cancel(promptId: string): Promise<void> {
    const json = { method: "POST", contentType: "application/json" } as const;
    try {
      await this.#http.call("/queue", { ...json, body: JSON.stringify({ delete: [promptId] }) });
      if (await this.#queueOf("queue_running", promptId)) {
        await this.#http.call("/interrupt", { ...json, body: JSON.stringify({ prompt_id: promptId }) });
      }
    } catch {
      // An engine that can't be reached runs nothing for us; the wait finds out.
    }
  }

  #hear(what: ComfyMessage | ComfyPreview): void {
    if (this.#promptId === null) {
      if (this.#early.length < 1_000) this.#early.push(what);
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
