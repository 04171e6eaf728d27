import type { AbortReason, Provider } from "@genai/dispatcher";
import { AttemptId, V1_CLOSE_TEXT, type V1AbortFrame, V1NodeFrame, type V1RegisterFrame } from "@genai/protocol";
import type { Delivery } from "../coordinator/node-sessions.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import { legacyProvider } from "./legacy-provider.ts";
import { storeLegacyResult, UnusableResult } from "./legacy-result.ts";
import { legacyTaskFrame } from "./legacy-task-frame.ts";
import type { Departure, NodeSession } from "./node-session.ts";
import { parseJson } from "./parse-json.ts";
import type { SessionDeps } from "./session-deps.ts";

/** Longest error text that is kept of a node's own words, in characters. */
const ERROR_CHARS_MAX = 2_000;

/** The session of a node that speaks only v1. Such a node takes a task, is silent, and answers once. It ignores aborts and gets no acks. */
export class LegacySession implements NodeSession {
  readonly protocol = 1;
  readonly bootId = null;
  readonly held = [];
  readonly frameBytesMax: number;
  readonly #deps: SessionDeps;
  readonly #nodeId: string;
  #provider: Provider;

  constructor(register: V1RegisterFrame, deps: SessionDeps) {
    this.#deps = deps;
    this.#nodeId = register.node_id;
    this.#provider = legacyProvider(register, deps.legacyTerms);
    this.frameBytesMax = deps.limits.frameBytesMax;
  }

  get provider(): Provider {
    return this.#provider;
  }

  joined(): void {
    // v1 has no answer to a registration.
  }

  frame(text: string): void | Promise<void> {
    if (text === V1_CLOSE_TEXT) return this.#deps.socket.close(CLOSE_CODES.done, "as you wish");
    const parsed = V1NodeFrame.safeParse(parseJson(text));
    if (!parsed.success) return this.#deps.badFrame("no v1 frame");
    const frame = parsed.data;
    switch (frame.type) {
      case "register":
        return this.#registeredAgain(frame);
      case "result":
        return this.#result(frame.taskId, frame.resultsUrl);
      case "error":
        return this.#failed(frame.taskId, "node_error", errorText(frame.error));
      case "status":
        return;
    }
  }

  deliver(delivery: Delivery): void {
    this.#deps.socket.send(JSON.stringify(legacyTaskFrame(delivery)));
  }

  abort(attemptId: string, _reason: AbortReason): void {
    const frame: V1AbortFrame = { type: "abort", taskId: attemptId };
    this.#deps.socket.send(JSON.stringify(frame));
  }

  acknowledge(): void {
    // v1 has no acknowledgements.
  }

  reconnect(): void {
    // A legacy node reconnects by itself, about a second after its socket is closed.
  }

  /** Its running tasks are lost with the connection, because it would send their results to the dead socket. */
  departure(): Departure {
    return "left";
  }

  #registeredAgain(frame: V1RegisterFrame): void {
    if (frame.node_id !== this.#nodeId) {
      this.#deps.badFrame("another node id on the same connection");
      return;
    }
    this.#provider = legacyProvider(frame, this.#deps.legacyTerms);
    this.#deps.events.nodeChanged(this.#provider);
  }

  async #result(taskId: string, resultUrls: readonly string[]): Promise<void> {
    const attemptId = AttemptId.safeParse(taskId);
    if (!attemptId.success) return this.#deps.badFrame("a result of no attempt");
    const { events, logger } = this.#deps;
    // Nothing is stored for an attempt that is not this node's. The node has answered nevertheless, which frees its slot.
    const uploads = events.uploadsOf(this.#nodeId, attemptId.data);
    if (uploads === null) return this.#failed(taskId, "not_open", "The attempt was over.");
    try {
      const artifacts = await storeLegacyResult(this.#deps, attemptId.data, resultUrls, uploads);
      events.attemptCompleted(this.#nodeId, attemptId.data, artifacts, {});
    } catch (error) {
      if (error instanceof UnusableResult) return this.#failed(taskId, error.code, error.message);
      logger.error({ err: error, nodeId: this.#nodeId, attemptId: attemptId.data }, "a result could not be stored");
      this.#failed(taskId, "storage_unavailable", "The server could not store the result.");
    }
  }

  #failed(taskId: string, code: string, message: string): void {
    const attemptId = AttemptId.safeParse(taskId);
    if (!attemptId.success) this.#deps.badFrame("an error of no attempt");
    else this.#deps.events.attemptFailed(this.#nodeId, attemptId.data, { code, message }, "unexplained");
  }
}

/** Whatever the node gave as its error; often the useless text `{}`. */
function errorText(error: unknown): string {
  const text = typeof error === "string" ? error : (JSON.stringify(error) ?? "");
  return text === "" || text === "{}" ? "The node gave no reason." : text.slice(0, ERROR_CHARS_MAX);
}
