import type { AbortReason, Provider } from "@genai/dispatcher";
import {
  type AttemptId,
  type HeartbeatFrame,
  type HeldAttempt,
  NodeFrame,
  PREVIEW_BYTES_MAX,
  type PreviewFrame,
  type RegisterFrame,
  type ResultFrame,
  type ServerFrame,
  type Verdict,
} from "@genai/protocol";
import { readImageHeader } from "@genai/protocol/pictures";
import type { AttemptUploads } from "../artifacts/attempt-uploads.ts";
import type { Delivery } from "../coordinator/node-sessions.ts";
import { GivenAttempts } from "./given-attempts.ts";
import type { Departure, NodeSession } from "./node-session.ts";
import { parseJson, typeOf } from "./parse-json.ts";
import { protocol2Provider } from "./protocol-2-provider.ts";
import { protocol2TaskFrame, URL_GRACE_MS } from "./protocol-2-task-frame.ts";
import type { SessionDeps } from "./session-deps.ts";
import { checkUploadedResult } from "./uploaded-result.ts";

const FRAME_TYPES: ReadonlySet<string> = new Set(NodeFrame.options.map((option) => option.shape.type.value));

/** Why a result brings more than its attempt may; null where it does not. */
function excessOf(
  artifacts: ResultFrame["artifacts"],
  { picturesMax, bytesMax }: AttemptUploads,
): { readonly code: "too_many_artifacts" | "result_too_large"; readonly message: string } | null {
  if (artifacts.length > picturesMax) {
    const message = `The result has ${artifacts.length} pictures, ${picturesMax} are allowed.`;
    return { code: "too_many_artifacts", message };
  }
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
  if (bytes <= bytesMax) return null;
  return { code: "result_too_large", message: `The result's pictures have ${bytes} bytes, ${bytesMax} are allowed.` };
}

/** A node that speaks protocol 2. */
export class Protocol2Session implements NodeSession {
  readonly protocol = 2;
  readonly bootId: string;
  readonly held: readonly HeldAttempt[];
  readonly frameBytesMax: number;
  readonly #deps: SessionDeps;
  readonly #nodeId: string;
  readonly #slots: number;
  readonly #given = new GivenAttempts();
  /** How often the node was asked to upload for an attempt again. */
  readonly #uploadRounds = new Map<string, number>();
  /** What was said before `registered` could be: that frame is the first. Null afterwards. */
  #unsaid: string[] | null = [];
  #provider: Provider;
  #leaving = false;

  constructor(register: RegisterFrame, deps: SessionDeps) {
    this.#deps = deps;
    this.#nodeId = register.nodeId;
    this.#slots = register.slots;
    this.bootId = register.bootId;
    this.held = register.held;
    this.frameBytesMax = deps.limits.protocol2FrameBytesMax;
    this.#provider = protocol2Provider(register.nodeId, register.slots, register.capabilities);
  }

  get provider(): Provider {
    return this.#provider;
  }

  joined(answer: { readonly keep: readonly string[]; readonly stop: readonly string[] }): void {
    const { leaseMs, heartbeatMs, protocol2FrameBytesMax } = this.#deps.limits;
    for (const attemptId of answer.keep) this.#given.give(attemptId);
    const unsaid = this.#unsaid ?? [];
    this.#unsaid = null;
    this.#send({
      type: "registered",
      protocol: 2,
      leaseMs,
      heartbeatMs,
      frameBytesMax: protocol2FrameBytesMax,
      keep: answer.keep as AttemptId[],
      stop: answer.stop as AttemptId[],
    });
    for (const text of unsaid) this.#sendText(text);
  }

  frame(text: string): void | Promise<void> {
    const message = parseJson(text);
    const type = typeOf(message);
    if (type !== null && !FRAME_TYPES.has(type)) return this.#deps.unknownFrame(type);
    const parsed = NodeFrame.safeParse(message);
    if (!parsed.success) return this.#deps.badFrame(`no ${type ?? "protocol-2"} frame`);
    const frame = parsed.data;
    const { events } = this.#deps;
    switch (frame.type) {
      case "register":
        return this.#deps.badFrame("registered already");
      case "capabilities":
        this.#provider = protocol2Provider(this.#nodeId, this.#slots, frame.capabilities);
        return events.nodeChanged(this.#provider);
      case "accepted":
        return events.attemptAccepted(this.#nodeId, frame.attemptId);
      case "rejected":
        this.#given.forget(frame.attemptId);
        return events.attemptRejected(this.#nodeId, frame.attemptId, frame.reason);
      case "progress":
        return events.attemptProgressed(this.#nodeId, frame.attemptId, frame.value, frame.stage);
      case "preview":
        return this.#preview(frame);
      case "result":
        return this.#result(frame);
      case "error":
        return this.#failed(frame.attemptId, frame.code, frame.message, frame.retryable ? "node" : "task");
      case "heartbeat":
        return this.#heartbeat(frame);
      case "leaving":
        return this.#leave(frame.handedBack);
    }
  }

  deliver(delivery: Delivery): void {
    this.#given.give(delivery.attemptId);
    const { socket, urls, limits } = this.#deps;
    const options = { baseUrl: socket.baseUrl, bytesMax: limits.protocol2FrameBytesMax };
    this.#sendText(protocol2TaskFrame(delivery, urls, options));
  }

  abort(attemptId: string, reason: AbortReason): void {
    this.#given.stop(attemptId, reason);
    this.#send({ type: "abort", attemptId: attemptId as AttemptId, reason });
  }

  acknowledge(attemptId: string, verdict: Verdict): void {
    this.#given.forget(attemptId);
    this.#uploadRounds.delete(attemptId);
    this.#send({ type: "ack", attemptId: attemptId as AttemptId, verdict });
  }

  reconnect(afterMs: number): void {
    this.#send({ type: "reconnect", afterMs });
  }

  /** A node that said it leaves, and closed its socket in order, does not come back with what it had. */
  departure(clean: boolean): Departure {
    return clean && this.#leaving ? "left" : "broken";
  }

  #heartbeat({ seq, running }: HeartbeatFrame): void {
    for (const { attemptId, progress } of running) {
      if (this.#given.isWanted(attemptId)) this.#deps.events.attemptProgressed(this.#nodeId, attemptId, progress, "");
    }
    const stop = this.#given.stopsFor(running).map(({ attemptId, reason }) => ({
      attemptId: attemptId as AttemptId,
      reason,
    }));
    this.#send({ type: "heartbeatAck", seq, stop });
  }

  #leave(handedBack: readonly string[]): void {
    const { events } = this.#deps;
    this.#leaving = true;
    events.nodeLeaves(this.#nodeId);
    for (const attemptId of handedBack) {
      this.#given.forget(attemptId);
      events.attemptRejected(this.#nodeId, attemptId, "the node leaves");
    }
  }

  #preview({ attemptId, mime, base64 }: PreviewFrame): void {
    if (!this.#given.isWanted(attemptId)) return;
    const bytes = Buffer.from(base64, "base64");
    if (bytes.length > PREVIEW_BYTES_MAX || readImageHeader(bytes)?.mime !== mime) {
      this.#deps.badFrame(`a preview that is no ${mime}`);
      return;
    }
    this.#deps.events.attemptPreviewed(this.#nodeId, attemptId, mime, bytes);
  }

  async #result({ attemptId, artifacts, metrics }: ResultFrame): Promise<void> {
    const { artifacts: store, events, logger } = this.#deps;
    const uploads = events.uploadsOf(this.#nodeId, attemptId);
    const excess = uploads === null ? null : excessOf(artifacts, uploads);
    if (uploads !== null && excess !== null) {
      return this.#failed(attemptId, excess.code, excess.message, uploads.excessIsOf);
    }
    // Nothing is taken between the look at its pictures and the decision: what was checked is what a client gets.
    await uploads?.hold();
    try {
      const checked = await checkUploadedResult(store, attemptId, artifacts);
      if (checked.type === "complete") {
        events.attemptCompleted(this.#nodeId, attemptId, checked.artifacts, metrics);
      } else if (events.uploadsOf(this.#nodeId, attemptId) !== null) {
        this.#askForUploads(attemptId, checked.missing);
      } else {
        // Nobody waits for it; it gets its verdict, and nothing else can come of a failure of what is over.
        this.#failed(attemptId, "artifacts_missing", "The pictures were not uploaded.", "node");
      }
    } catch (error) {
      // Without an answer the node keeps it and sends it again.
      logger.error({ err: error, nodeId: this.#nodeId, attemptId }, "a result could not be checked");
    } finally {
      uploads?.release();
    }
  }

  #askForUploads(attemptId: AttemptId, missing: readonly number[]): void {
    const rounds = (this.#uploadRounds.get(attemptId) ?? 0) + 1;
    if (rounds > this.#deps.limits.uploadRoundsMax) {
      const message = `Pictures ${missing.slice(0, 20).join(", ")} were never uploaded as they were described.`;
      this.#failed(attemptId, "artifacts_missing", message, "node");
      return;
    }
    this.#uploadRounds.set(attemptId, rounds);
    const uploadUrl = this.#deps.socket.baseUrl + this.#deps.urls.upload(attemptId, URL_GRACE_MS);
    this.#send({ type: "upload", attemptId, uploadUrl, missing: [...missing] });
  }

  #failed(attemptId: string, code: string, message: string, fault: "task" | "node"): void {
    this.#deps.events.attemptFailed(this.#nodeId, attemptId, { code, message }, fault);
  }

  #send(frame: ServerFrame): void {
    this.#sendText(JSON.stringify(frame));
  }

  #sendText(text: string): void {
    if (this.#unsaid === null) this.#deps.socket.send(text);
    else this.#unsaid.push(text);
  }
}
