import type { Capabilities, HeldAttempt, NodeFrame, Pipeline, ServerFrame, V1TaskFrame } from "@genai/protocol";
import { AttemptId } from "@genai/protocol";
import type { NodeEffect } from "./node-effect.ts";
import type { AttemptOrder, FinalFrame, NodeInput } from "./node-input.ts";
import { fraction, reconnectDelayMs } from "./reconnect-backoff.ts";

export interface NodeSessionOptions {
  readonly nodeId: string;
  /** New at each start of the process. */
  readonly bootId: string;
  readonly slots: number;
  readonly capabilities: Capabilities;
  /** What an earlier process of this node finished and could not deliver. */
  readonly kept: readonly { readonly final: FinalFrame; readonly uploadUrl: string | null }[];
}

/** Without `registered` for this long the server speaks only v1. */
const REGISTER_MS = 3_000;
/** Without a byte for this long the socket is dead, whatever TCP believes. */
const SILENCE_MS = 25_000;
/** An answer that was not acked is sent again after this long; a server whose disk is away acks nothing. */
const RESEND_MS = 30_000;
/** Progress is told at most so often for each attempt. */
const PROGRESS_EVERY_MS = 200;
const HEARTBEAT_MS = 10_000;

type Phase = "idle" | "waiting" | "connecting" | "registering" | "registered" | "v1" | "over";

/** An attempt that this node has. */
interface Held {
  readonly order: Omit<AttemptOrder, "pipeline" | "pipelineUrl" | "limitMs">;
  state: "running" | "finished";
  progress: number;
  progressSentAtMs: number;
  final: FinalFrame | null;
  uploaded: boolean;
  /** When its last word was sent on this socket, or null. */
  sentAtMs: number | null;
}

/** A node's side of the conversation with its server: what it holds, what it says when, and when it tries again. Pure: it knows no socket,
 *  no clock and no disk. The caller feeds inputs with the time, carries out the effects in order, and comes back at the next deadline. */
export class NodeSession {
  readonly #options: NodeSessionOptions;
  readonly #held = new Map<string, Held>();
  #capabilities: Capabilities;
  #phase: Phase = "idle";
  #failures = 0;
  #reconnectAtMs = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #heardAtMs = 0;
  #heartbeatAtMs = 0;
  #heartbeatMs = HEARTBEAT_MS;
  #seq = 0;
  #draining = false;
  #leaving = false;
  #speaksV1 = false;
  #effects: NodeEffect[] = [];
  #nowMs = 0;

  constructor(options: NodeSessionOptions) {
    this.#options = options;
    this.#capabilities = options.capabilities;
    for (const { final, uploadUrl } of options.kept) {
      this.#held.set(final.attemptId, {
        order: { attemptId: final.attemptId, uploadUrl },
        state: "finished",
        progress: 1,
        progressSentAtMs: 0,
        final,
        uploaded: final.type === "error",
        sentAtMs: null,
      });
    }
  }

  /** Hears an input and says what to do. An earlier time counts as the last seen one. */
  step(nowMs: number, input: NodeInput): readonly NodeEffect[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.#effects = [];
    this.#hear(input);
    this.#due();
    this.#endIfDone();
    return this.#effects;
  }

  /** When to feed `tick`, or null for never. */
  nextDeadlineMs(): number | null {
    switch (this.#phase) {
      case "waiting":
        return this.#reconnectAtMs;
      case "connecting":
      case "registering":
        return this.#deadlineMs;
      case "registered":
        return Math.min(this.#heartbeatAtMs, this.#heardAtMs + SILENCE_MS, this.#nextResendMs());
      case "v1":
        return this.#heardAtMs + SILENCE_MS;
      case "idle":
      case "over":
        return null;
    }
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** For the status page and for tests. */
  get attempts(): readonly {
    readonly attemptId: string;
    readonly state: "running" | "finished";
    readonly progress: number;
  }[] {
    return [...this.#held].map(([attemptId, { state, progress }]) => ({ attemptId, state, progress }));
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
        this.#closed();
        break;
      case "heard":
        this.#heardAtMs = this.#nowMs;
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
        this.#held.delete(input.attemptId);
        break;
      case "uploaded":
        this.#uploaded(input.attemptId);
        break;
      case "capabilitiesChanged":
        this.#capabilities = input.capabilities;
        if (this.#phase === "registered") this.#send({ type: "capabilities", capabilities: this.#capabilities });
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

  // ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    this.#phase = "connecting";
    this.#deadlineMs = this.#nowMs + SILENCE_MS;
    this.#effects.push({ type: "connect" });
  }

  #opened(): void {
    if (this.#phase !== "connecting") return;
    this.#heardAtMs = this.#nowMs;
    for (const held of this.#held.values()) held.sentAtMs = null;
    if (this.#speaksV1) {
      this.#becomeV1();
      return;
    }
    this.#phase = "registering";
    this.#deadlineMs = this.#nowMs + REGISTER_MS;
    const { nodeId, bootId, slots } = this.#options;
    this.#send({
      type: "register",
      protocol: 2,
      nodeId,
      bootId,
      capabilities: this.#capabilities,
      slots,
      held: this.#heldList(),
    });
  }

  #closed(): void {
    if (this.#phase === "over" || this.#phase === "waiting") return;
    const registered = this.#phase === "registered" || this.#phase === "v1";
    this.#failures = registered ? 1 : this.#failures + 1;
    this.#wait(reconnectDelayMs(this.#failures, `${this.#options.nodeId}/${this.#options.bootId}`));
  }

  /** Stays away for so long, then connects again. */
  #wait(forMs: number): void {
    this.#phase = "waiting";
    this.#reconnectAtMs = this.#nowMs + forMs;
    for (const held of this.#held.values()) held.sentAtMs = null;
  }

  #due(): void {
    const nowMs = this.#nowMs;
    if (this.#phase === "waiting" && nowMs >= this.#reconnectAtMs) {
      if (this.#leaving) return;
      this.#connect();
    } else if (this.#phase === "connecting" && nowMs >= this.#deadlineMs) {
      this.#end(1006, "no connection");
    } else if (this.#phase === "registering" && nowMs >= this.#deadlineMs) {
      this.#becomeV1();
    } else if (this.#phase === "registered" || this.#phase === "v1") {
      if (nowMs >= this.#heardAtMs + SILENCE_MS) this.#end(1006, "the server is silent");
      else if (this.#phase === "registered") this.#beat();
    }
  }

  #end(code: number, reason: string): void {
    this.#effects.push({ type: "close", code, reason });
    this.#closed();
  }

  #beat(): void {
    if (this.#nowMs >= this.#heartbeatAtMs) {
      this.#seq += 1;
      const running = [...this.#held].flatMap(([attemptId, held]) =>
        held.state === "running" ? [{ attemptId: AttemptId.parse(attemptId), progress: held.progress }] : [],
      );
      this.#send({ type: "heartbeat", seq: this.#seq, free: this.#freeSlots(), running });
      // ± 10 %, so that a fleet does not beat in step.
      const jitter = 0.9 + 0.2 * fraction(`${this.#options.bootId}/${this.#seq}`);
      this.#heartbeatAtMs = this.#nowMs + this.#heartbeatMs * jitter;
    }
    for (const [attemptId, held] of this.#held) {
      if (held.sentAtMs !== null && this.#nowMs >= held.sentAtMs + RESEND_MS) this.#tell(attemptId, held);
    }
  }

  #nextResendMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { sentAtMs } of this.#held.values())
      if (sentAtMs !== null) nextMs = Math.min(nextMs, sentAtMs + RESEND_MS);
    return nextMs;
  }

  // ── what the server says ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #frame(frame: ServerFrame): void {
    if (frame.type === "registered") {
      this.#registered(frame);
      return;
    }
    if (this.#phase !== "registered") return;
    switch (frame.type) {
      case "task":
        this.#task({
          attemptId: frame.attemptId,
          pipeline: frame.pipeline ?? null,
          pipelineUrl: frame.pipelineUrl ?? null,
          limitMs: frame.limitMs,
          uploadUrl: frame.uploadUrl,
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
        this.#draining = true;
        break;
      case "reconnect":
        this.#effects.push({ type: "close", code: 1000, reason: "reconnect" });
        this.#wait(frame.afterMs);
        break;
      case "upload":
        this.#uploadAgain(frame.attemptId, frame.uploadUrl, frame.missing);
        break;
      default:
        frame satisfies never;
    }
  }

  #registered(frame: Extract<ServerFrame, { type: "registered" }>): void {
    if (this.#phase !== "registering") return;
    this.#phase = "registered";
    this.#failures = 0;
    this.#heartbeatMs = frame.heartbeatMs;
    this.#heartbeatAtMs = this.#nowMs + this.#heartbeatMs;
    for (const attemptId of frame.stop) this.#abort(attemptId);
    for (const [attemptId, held] of this.#held) if (held.state === "finished") this.#tell(attemptId, held);
    if (this.#draining && this.#leaving) this.#sayLeaving();
  }

  #task(order: AttemptOrder): void {
    const attemptId = AttemptId.parse(order.attemptId);
    const known = this.#held.get(attemptId);
    if (known !== undefined) {
      // The same attempt again is never run twice.
      if (known.state === "running") this.#send({ type: "accepted", attemptId });
      else this.#tell(attemptId, known);
      return;
    }
    const reason = this.#refusal();
    if (reason !== null) {
      this.#send({ type: "rejected", attemptId, reason });
      return;
    }
    this.#take(order);
    this.#send({ type: "accepted", attemptId });
  }

  #refusal(): string | null {
    if (this.#draining) return "draining";
    if (!this.#capabilities.ready) return "the engine is not ready";
    return this.#freeSlots() === 0 ? "no free slot" : null;
  }

  #take(order: AttemptOrder): void {
    const { attemptId, uploadUrl } = order;
    this.#held.set(attemptId, {
      order: { attemptId, uploadUrl },
      state: "running",
      progress: 0,
      progressSentAtMs: Number.NEGATIVE_INFINITY,
      final: null,
      uploaded: false,
      sentAtMs: null,
    });
    this.#effects.push({ type: "run", order });
  }

  /** Stops what runs, forgets what is finished: nobody wants it. */
  #abort(attemptId: string): void {
    const held = this.#held.get(attemptId);
    if (held === undefined) return;
    if (held.state === "running") this.#effects.push({ type: "abort", attemptId });
    else this.#forget(attemptId);
  }

  #forget(attemptId: string): void {
    const held = this.#held.get(attemptId);
    if (held?.state !== "finished") return;
    this.#held.delete(attemptId);
    this.#effects.push({ type: "forget", attemptId });
  }

  #uploadAgain(attemptId: string, uploadUrl: string, missing: readonly number[]): void {
    const held = this.#held.get(attemptId);
    if (held?.state !== "finished") return;
    held.uploaded = false;
    held.sentAtMs = null;
    this.#effects.push({ type: "upload", attemptId, uploadUrl, missing });
  }

  // ── what the engine does ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #progressed(attemptId: string, value: number, stage: string): void {
    const held = this.#held.get(attemptId);
    if (held?.state !== "running" || !(value > held.progress)) return;
    held.progress = Math.min(1, value);
    if (this.#phase !== "registered") return;
    if (this.#nowMs < held.progressSentAtMs + PROGRESS_EVERY_MS) return;
    held.progressSentAtMs = this.#nowMs;
    const frame = {
      type: "progress",
      attemptId: AttemptId.parse(attemptId),
      value: held.progress,
      stage: stage.slice(0, 256),
    } as const;
    this.#effects.push({ type: "send", frame, droppable: true });
  }

  #previewed(input: Extract<NodeInput, { type: "previewed" }>): void {
    if (this.#phase !== "registered" || this.#held.get(input.attemptId)?.state !== "running") return;
    const { attemptId, mime, bytes } = input;
    this.#effects.push({ type: "sendPreview", attemptId, mime, bytes });
  }

  #finished(attemptId: string, final: FinalFrame): void {
    const held = this.#held.get(attemptId);
    if (held === undefined) return;
    held.state = "finished";
    held.final = final;
    held.uploaded = final.type === "error";
    if (this.#phase === "registered" || this.#phase === "v1") this.#tell(attemptId, held);
  }

  #uploaded(attemptId: string): void {
    const held = this.#held.get(attemptId);
    if (held?.state !== "finished" || held.uploaded) return;
    held.uploaded = true;
    if (this.#phase === "registered") this.#tell(attemptId, held);
  }

  /** Says the last word on an attempt, or has its pictures uploaded first. */
  #tell(attemptId: string, held: Held): void {
    if (held.final === null) return;
    if (this.#phase === "v1") {
      this.#effects.push({ type: "sendV1Final", attemptId });
      return;
    }
    if (!held.uploaded) {
      this.#effects.push({ type: "upload", attemptId, uploadUrl: held.order.uploadUrl, missing: null });
      return;
    }
    held.sentAtMs = this.#nowMs;
    this.#send(held.final);
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #drain(): void {
    if (this.#draining && this.#leaving) return;
    this.#draining = true;
    this.#leaving = true;
    if (this.#phase === "registered") this.#sayLeaving();
  }

  #leave(): void {
    this.#draining = true;
    this.#leaving = true;
    const running = [...this.#held]
      .filter(([, held]) => held.state === "running")
      .map(([attemptId]) => AttemptId.parse(attemptId));
    if (this.#phase === "registered") this.#send({ type: "leaving", handedBack: running });
    for (const attemptId of running) {
      this.#effects.push({ type: "abort", attemptId });
      this.#held.delete(attemptId);
    }
  }

  #sayLeaving(): void {
    this.#send({ type: "leaving", handedBack: [] });
  }

  #endIfDone(): void {
    if (!this.#leaving || this.#phase === "over") return;
    const busy = [...this.#held.values()].some((held) => held.state === "running");
    const connected = this.#phase === "registered" || this.#phase === "v1";
    // What is finished waits for its ack; without a server it stays on the disk for the next start.
    if (busy || (connected && this.#held.size > 0)) return;
    if (this.#phase === "v1") this.#effects.push({ type: "sendV1Close" });
    this.#phase = "over";
    this.#effects.push({ type: "close", code: 1000, reason: "leaving" }, { type: "exit" });
  }

  // ── v1 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #becomeV1(): void {
    this.#speaksV1 = true;
    this.#phase = "v1";
    this.#failures = 0;
    this.#effects.push({ type: "sendV1Register" });
  }

  #v1Task(frame: V1TaskFrame): void {
    if (this.#phase === "registering") this.#becomeV1();
    if (this.#phase !== "v1" || this.#held.has(frame.taskId)) return;
    const pipeline = pipelineOfV1(frame);
    if (pipeline === null) return;
    // v1 has no word for "no": what comes is run, one after the other.
    this.#take({ attemptId: frame.taskId, pipeline, pipelineUrl: null, limitMs: 3_600_000, uploadUrl: null });
  }

  // ── small words ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(frame: NodeFrame): void {
    this.#effects.push({ type: "send", frame, droppable: false });
  }

  #heldList(): HeldAttempt[] {
    return [...this.#held].flatMap(([attemptId, { state }]) => {
      const id = AttemptId.safeParse(attemptId);
      return id.success ? [{ attemptId: id.data, state }] : [];
    });
  }

  #freeSlots(): number {
    let busy = 0;
    for (const held of this.#held.values()) if (held.state === "running") busy += 1;
    return Math.max(0, this.#options.slots - busy);
  }
}

function pipelineOfV1({ options, comfyOptions }: V1TaskFrame): Pipeline | null {
  if (comfyOptions !== null) {
    const images = comfyOptions.pipelineDependencies?.images ?? null;
    return { type: "comfy", workflow: comfyOptions.pipelineData, ...(images === null ? {} : { images }) };
  }
  if (options === null) return null;
  const { prompt, model, size, steps } = options;
  return { type: "standard", prompt, model, ...(size ?? {}), ...(steps === null ? {} : { steps }) };
}
