import type { Capabilities, NodeFrame, ServerFrame, V1TaskFrame } from "@genai/protocol";
import { AttemptId, PREVIEW_BYTES_MAX } from "@genai/protocol";
import { type Held, HeldAttempts } from "./held-attempts.ts";
import { Link, type LinkPhase } from "./link.ts";
import type { NodeEffect } from "./node-effect.ts";
import type { AttemptOrder, FinalFrame, NodeInput } from "./node-input.ts";
import { fraction } from "./reconnect-backoff.ts";
import { capabilitiesFrame, HELD_LISTED_MAX, registerFrame, withoutNodeClasses } from "./register-frame.ts";
import { pipelineOfV1 } from "./v1-pipeline.ts";

export interface NodeSessionOptions {
  readonly nodeId: string;
  /** New at each start of the process. */
  readonly bootId: string;
  readonly slots: number;
  /** With the list of node classes, which is sent only where it is asked for: it can be long. */
  readonly capabilities: Capabilities;
  /** What an earlier process of this node finished and could not deliver. */
  readonly kept: readonly { readonly final: FinalFrame; readonly uploadUrl: string | null }[];
}

/** A result that was not acknowledged is sent again after this long. A server whose store is unavailable acknowledges nothing. */
const RESEND_MS = 30_000;
/** An upload that failed is tried again after this long. */
const UPLOAD_AGAIN_MS = 5_000;
/** Where uploads to a URL of this connection fail for this long, the result is sent without them, so that the server says where else, or that nobody
 *  wants it. Four times that, with the server's three fresh URLs, ends the attempt: longer than a proxy or a store takes to restart. */
const UPLOAD_FAILS_MS = 60_000;
/** Progress is told at most so often for each attempt. */
const PROGRESS_EVERY_MS = 200;
/** Attempts that one heartbeat may list. */
const HEARTBEAT_RUNNING_MAX = 64;
/** v1 has no limit in its frames; the server aborts by itself. */
const V1_LIMIT_MS = 3_600_000;

/** The node's side of the protocol: which attempts it holds, what it sends when, and when it tries again. Pure, without socket, clock or disk. The
 *  caller feeds inputs with the time, carries out the effects in order, and feeds a `tick` at the next deadline. */
export class NodeSession {
  readonly #options: NodeSessionOptions;
  readonly #held = new HeldAttempts();
  readonly #link: Link;
  #capabilities: Capabilities;
  #capabilitiesTold = false;
  #heartbeatAtMs = 0;
  #heartbeatMs = 0;
  #seq = 0;
  /** Longest frame that this server reads. */
  #frameBytesMax = 0;
  /** The server said that it will give nothing more on this connection. */
  #drained = false;
  #leaving: "no" | "whenDone" | "now" = "no";
  #effects: NodeEffect[] = [];
  #nowMs = 0;

  constructor(options: NodeSessionOptions) {
    this.#options = options;
    this.#capabilities = options.capabilities;
    this.#link = new Link(`${options.nodeId}/${options.bootId}`);
    for (const { final, uploadUrl } of options.kept) this.#held.keep(final, uploadUrl);
  }

  /** Handles one input and returns what to do. An earlier time counts as the last one seen. */
  step(nowMs: number, input: NodeInput): readonly NodeEffect[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.#effects = [];
    if (this.#link.phase !== "over") {
      this.#hear(input);
      this.#due();
      this.#endIfDone();
    }
    return this.#effects;
  }

  /** When to feed `tick`, or null for never. */
  nextDeadlineMs(): number | null {
    const registered = this.#link.phase === "registered";
    const nextMs = Math.min(
      this.#link.nextDueMs(),
      registered ? Math.min(this.#heartbeatAtMs, this.#held.nextTellAtMs()) : Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(nextMs) ? nextMs : null;
  }

  get phase(): LinkPhase {
    return this.#link.phase;
  }

  /** For the status page and for tests. */
  get attempts(): readonly {
    readonly attemptId: string;
    readonly state: "running" | "finished";
    readonly progress: number;
  }[] {
    return this.#held.all().map(({ attemptId, state, progress }) => ({ attemptId, state, progress }));
  }

  #hear(input: NodeInput): void {
    switch (input.type) {
      case "started":
        this.#connect();
        break;
      case "opened":
        this.#opened();
        break;
      case "closed":
        this.#closed(input.code, input.reason);
        break;
      case "heard":
        this.#link.heard(this.#nowMs);
        break;
      case "frame":
        this.#frame(input.frame);
        break;
      case "v1Task":
        this.#v1Task(input.frame);
        break;
      case "v1Abort":
        this.#abort(input.frame.taskId);
        break;
      case "progressed":
        this.#progressed(input.attemptId, input.value, input.stage);
        break;
      case "previewed":
        this.#previewed(input);
        break;
      case "finished":
        this.#finished(input.attemptId, input.final);
        break;
      case "stopped":
        this.#held.drop(input.attemptId);
        break;
      case "uploaded":
        this.#uploaded(input.attemptId);
        break;
      case "uploadFailed":
        this.#uploadFailed(input.attemptId, input.isBusy ?? false);
        break;
      case "deliveredV1":
        this.#forget(input.attemptId);
        break;
      case "capabilitiesChanged":
        this.#capabilities = input.capabilities;
        this.#capabilitiesTold = false;
        if (this.#link.phase === "registered") this.#tellCapabilities();
        break;
      case "drain":
        this.#drain();
        break;
      case "leave":
        this.#leave();
        break;
      case "tick":
        break;
      default:
        input satisfies never;
    }
  }

  #connect(): void {
    this.#link.connecting(this.#nowMs);
    this.#effects.push({ type: "connect" });
  }

  #opened(): void {
    if (this.#link.phase !== "connecting") return;
    this.#drained = false;
    if (this.#link.opened(this.#nowMs)) {
      this.#speakV1();
      return;
    }
    const { nodeId, bootId, slots } = this.#options;
    const held = this.#held.list(HELD_LISTED_MAX);
    const { frame, whole } = registerFrame({ nodeId, bootId, slots }, withoutNodeClasses(this.#capabilities), held);
    this.#capabilitiesTold = whole;
    this.#send(frame);
  }

  #closed(code: number | null, reason = ""): void {
    if (this.#link.phase === "waiting") return;
    this.#link.closed(this.#nowMs, code, reason);
    this.#held.forgetWhatWasTold();
  }

  #end(reason: string): void {
    this.#effects.push({ type: "close", code: 1006, reason });
    this.#closed(null);
  }

  #due(): void {
    switch (this.#link.due(this.#nowMs)) {
      case "connect":
        this.#connect();
        break;
      case "speakV1":
        this.#speakV1();
        break;
      case "ping":
        this.#effects.push({ type: "ping" });
        break;
      case "giveUp":
        this.#end(this.#link.phase === "connecting" ? "no connection" : "the server is silent");
        break;
      case null:
        if (this.#link.phase === "registered") this.#saysWhatIsDue();
    }
  }

  #saysWhatIsDue(): void {
    if (this.#nowMs >= this.#heartbeatAtMs) {
      this.#seq += 1;
      const running = this.#held
        .allRunning()
        .filter(({ overV1 }) => !overV1)
        .map(({ attemptId, progress }) => ({ attemptId: idOf(attemptId), progress }));
      const free = this.#freeSlots();
      this.#send({ type: "heartbeat", seq: this.#seq, free, running: running.slice(0, HEARTBEAT_RUNNING_MAX) });
      // ± 10 %, so that a fleet does not beat in step.
      const jitter = 0.9 + 0.2 * fraction(`${this.#options.bootId}/${this.#seq}`);
      this.#heartbeatAtMs = this.#nowMs + this.#heartbeatMs * jitter;
    }
    for (const held of this.#held.allFinished()) if (this.#nowMs >= held.tellAtMs) this.#tell(held);
  }

  #frame(frame: ServerFrame): void {
    if (frame.type === "registered") {
      this.#registered(frame);
      return;
    }
    if (this.#link.phase !== "registered") return;
    switch (frame.type) {
      case "task":
        this.#task({
          attemptId: frame.attemptId,
          pipeline: frame.pipeline ?? null,
          pipelineUrl: frame.pipelineUrl ?? null,
          limitMs: frame.limitMs,
          uploadUrl: frame.uploadUrl,
          traceparent: frame.traceparent ?? null,
        });
        break;
      case "abort":
        this.#abort(frame.attemptId);
        break;
      case "ack":
        this.#forget(frame.attemptId);
        break;
      case "heartbeatAck":
        for (const { attemptId } of frame.stop) this.#abort(attemptId);
        break;
      case "drain":
        this.#drained = true;
        break;
      case "reconnect":
        this.#effects.push({ type: "close", code: 1000, reason: "reconnect" });
        this.#link.wait(this.#nowMs, frame.afterMs);
        this.#held.forgetWhatWasTold();
        break;
      case "upload":
        this.#uploadAgain(frame.attemptId, frame.uploadUrl, frame.missing);
        break;
      case "nodeClasses":
        this.#send(capabilitiesFrame(this.#capabilities, this.#frameBytesMax));
        break;
      default:
        frame satisfies never;
    }
  }

  #registered(frame: Extract<ServerFrame, { type: "registered" }>): void {
    // A server that was slow to answer (its disk was away) speaks protocol 2 all the same.
    if (this.#link.phase !== "registering" && this.#link.phase !== "v1") return;
    this.#link.registered(this.#nowMs);
    this.#frameBytesMax = frame.frameBytesMax;
    this.#heartbeatMs = frame.heartbeatMs;
    this.#heartbeatAtMs = this.#nowMs + this.#heartbeatMs;
    for (const attemptId of frame.stop) this.#abort(attemptId);
    for (const { attemptId, overV1 } of this.#held.allRunning()) if (overV1) this.#abort(attemptId);
    if (!this.#capabilitiesTold) this.#tellCapabilities();
    for (const held of this.#held.allFinished()) this.#tell(held);
    if (this.#leaving !== "no") this.#send({ type: "leaving", handedBack: [] });
  }

  #tellCapabilities(): void {
    this.#capabilitiesTold = true;
    this.#send(capabilitiesFrame(withoutNodeClasses(this.#capabilities), this.#frameBytesMax));
  }

  #task(order: AttemptOrder): void {
    const attemptId = idOf(order.attemptId);
    const known = this.#held.get(attemptId);
    if (known !== undefined) {
      // The same attempt again is never run twice.
      if (known.state === "running") this.#send({ type: "accepted", attemptId });
      else this.#tell(known);
      return;
    }
    const reason = this.#refusal();
    if (reason !== null) {
      this.#send({ type: "rejected", attemptId, reason });
      return;
    }
    this.#run(order, false);
    this.#send({ type: "accepted", attemptId });
  }

  #refusal(): string | null {
    if (this.#drained || this.#leaving !== "no") return "draining";
    if (!this.#capabilities.ready) return "the engine is not ready";
    return this.#freeSlots() === 0 ? "no free slot" : null;
  }

  #run(order: AttemptOrder, overV1: boolean): void {
    this.#held.take(order.attemptId, order.uploadUrl, overV1);
    this.#effects.push({ type: "run", order });
  }

  /** Stops a running attempt or forgets a finished one, because it is no longer wanted. */
  #abort(attemptId: string): void {
    if (this.#held.running(attemptId)) this.#effects.push({ type: "abort", attemptId });
    else this.#forget(attemptId);
  }

  #forget(attemptId: string): void {
    if (this.#held.finished(attemptId) === undefined) return;
    this.#held.drop(attemptId);
    this.#effects.push({ type: "forget", attemptId });
  }

  #uploadAgain(attemptId: string, uploadUrl: string, missing: readonly number[]): void {
    const held = this.#held.finished(attemptId);
    if (held === undefined) return;
    held.uploadUrl = uploadUrl;
    held.uploadUrlIsOld = false;
    held.uploadFailsSinceMs = null;
    held.uploaded = false;
    held.tellAtMs = Number.POSITIVE_INFINITY;
    this.#effects.push({ type: "upload", attemptId, uploadUrl, missing });
  }

  #progressed(attemptId: string, value: number, stage: string): void {
    const held = this.#held.running(attemptId);
    if (held === undefined || !(value > held.progress)) return;
    held.progress = Math.min(1, value);
    if (this.#link.phase !== "registered" || held.overV1) return;
    if (this.#nowMs < held.progressSentAtMs + PROGRESS_EVERY_MS) return;
    held.progressSentAtMs = this.#nowMs;
    const frame = {
      type: "progress",
      attemptId: idOf(attemptId),
      value: held.progress,
      stage: stage.slice(0, 256),
    } as const;
    this.#effects.push({ type: "send", frame, droppable: true });
  }

  #previewed({ attemptId, mime, bytes }: Extract<NodeInput, { type: "previewed" }>): void {
    const held = this.#held.running(attemptId);
    if (this.#link.phase !== "registered" || held === undefined || held.overV1) return;
    if (bytes.length > 0 && bytes.length <= PREVIEW_BYTES_MAX)
      this.#effects.push({ type: "sendPreview", attemptId, mime, bytes });
  }

  #finished(attemptId: string, final: FinalFrame): void {
    const held = this.#held.finish(attemptId, final);
    if (held !== null) this.#tell(held);
  }

  #uploaded(attemptId: string): void {
    const held = this.#held.finished(attemptId);
    if (held === undefined || held.uploaded) return;
    held.uploaded = true;
    this.#tell(held);
  }

  #uploadFailed(attemptId: string, isBusy: boolean): void {
    const held = this.#held.finished(attemptId);
    if (held === undefined || held.uploaded) return;
    // Another URL would not help.
    if (isBusy) held.uploadFailsSinceMs = null;
    else held.uploadFailsSinceMs ??= this.#nowMs;
    const failsForMs = held.uploadFailsSinceMs === null ? null : this.#nowMs - held.uploadFailsSinceMs;
    const asks = failsForMs !== null && (held.uploadUrlIsOld || failsForMs >= UPLOAD_FAILS_MS);
    if (this.#link.phase === "registered" && asks) this.#sendFinal(held);
    else held.tellAtMs = this.#nowMs + UPLOAD_AGAIN_MS;
  }

  /** Sends the result of an attempt, or has its pictures uploaded first. Does nothing without a connection. */
  #tell(held: Held): void {
    const { attemptId, uploadUrl } = held;
    if (held.final === null) return;
    held.tellAtMs = Number.POSITIVE_INFINITY;
    if (this.#link.phase === "v1") {
      // What a protocol-2 server gave waits for that server: as a v1 frame it would be taken for delivered once it is sent.
      if (held.overV1) this.#effects.push({ type: "sendV1Final", attemptId });
    } else if (this.#link.phase === "registered") {
      if (held.overV1) {
        // It was given out again when the connection that it came by ended.
        this.#forget(attemptId);
        return;
      }
      // A URL of an earlier connection that has failed already is not tried again: the answer to the result has a fresh one.
      const mayUpload = !held.uploadUrlIsOld || held.uploadFailsSinceMs === null;
      if (!held.uploaded && mayUpload) this.#effects.push({ type: "upload", attemptId, uploadUrl, missing: null });
      else this.#sendFinal(held);
    }
  }

  /** Sends the result as it is. Where its pictures are not on the server, the answer is where to upload them, or that nobody wants it. */
  #sendFinal(held: Held): void {
    if (held.final === null) return;
    held.tellAtMs = this.#nowMs + RESEND_MS;
    this.#send(held.final);
  }

  #drain(): void {
    if (this.#leaving !== "no") return;
    this.#leaving = "whenDone";
    if (this.#link.phase === "registered") this.#send({ type: "leaving", handedBack: [] });
  }

  #leave(): void {
    this.#leaving = "now";
    const running = this.#held.allRunning();
    const handedBack = running.filter(({ overV1 }) => !overV1).map(({ attemptId }) => idOf(attemptId));
    if (this.#link.phase === "registered") this.#send({ type: "leaving", handedBack });
    for (const { attemptId } of running) {
      this.#effects.push({ type: "abort", attemptId });
      this.#held.drop(attemptId);
    }
  }

  #endIfDone(): void {
    if (this.#leaving === "no" || (this.#leaving === "whenDone" && this.#isBusy())) return;
    if (this.#link.phase === "v1") this.#effects.push({ type: "sendV1Close" });
    this.#link.over();
    this.#effects.push({ type: "close", code: 1000, reason: "leaving" }, { type: "exit" });
  }

  /** Whether something is running, or can be delivered now. Without a server, finished results stay on disk for the next start. */
  #isBusy(): boolean {
    if (this.#held.allRunning().length > 0) return true;
    if (!this.#link.isOpen) return false;
    return this.#held.allFinished().some(({ overV1 }) => overV1 || this.#link.phase === "registered");
  }

  #speakV1(): void {
    this.#link.speaksV1(this.#nowMs);
    this.#effects.push({ type: "sendV1Register" });
    for (const held of this.#held.allFinished()) this.#tell(held);
  }

  #v1Task(frame: V1TaskFrame): void {
    if (this.#link.phase === "registering") this.#speakV1();
    if (this.#link.phase !== "v1") return;
    const attemptId = frame.taskId;
    const known = this.#held.get(attemptId);
    if (known !== undefined) {
      this.#tell(known);
      return;
    }
    const pipeline = pipelineOfV1(frame);
    // v1 has no word for "no": what comes is run, one after the other.
    if (pipeline === null) return;
    this.#run(
      { attemptId, pipeline, pipelineUrl: null, limitMs: V1_LIMIT_MS, uploadUrl: null, traceparent: null },
      true,
    );
  }

  #send(frame: NodeFrame): void {
    this.#effects.push({ type: "send", frame, droppable: false });
  }

  #freeSlots(): number {
    return Math.max(0, this.#options.slots - this.#held.allRunning().length);
  }
}

/** Ids received over protocol 2 are valid. */
function idOf(attemptId: string): AttemptId {
  return AttemptId.parse(attemptId);
}
