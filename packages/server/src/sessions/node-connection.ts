import { FOREIGN_NODE_ID, V1_CLOSE_TEXT } from "@genai/protocol";
import type { Clock } from "../clock.ts";
import { BadFrameCounter } from "./bad-frame-counter.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import { LegacySession } from "./legacy-session.ts";
import type { NodeSession } from "./node-session.ts";
import type { NodeSocket, NodeSocketListener } from "./node-socket.ts";
import { parseJson } from "./parse-json.ts";
import { Protocol2Session } from "./protocol-2-session.ts";
import { readIntroduction } from "./register-frame.ts";
import { type InHand, SerialQueue } from "./serial-queue.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { Admission, SessionRegistry } from "./session-registry.ts";

/** Frames that may wait behind one that takes time before the socket is read no further. */
const WAITING_FRAMES_MAX = 16;

/** The same for characters of all of them, with the one that takes time. A picture of 5 MB in a legacy node's frame is 6.7 million: one
 *  may be stored and one wait. Where none waits the socket is read, so that its end is heard. */
const CHARS_IN_HAND_MAX = 4 * 1_024 * 1_024;

/** What connections share. */
export interface ConnectionDeps extends Omit<SessionDeps, "socket" | "badFrame" | "unknownFrame"> {
  readonly registry: SessionRegistry<NodeConnection>;
  readonly clock: Clock;
  readonly onFrame: (outcome: "read" | "bad" | "unknown") => void;
}

/** A socket from its upgrade to its end: unregistered first, then one node's session. */
export class NodeConnection implements NodeSocketListener {
  readonly credential: string;
  readonly connectedAtMs: number;
  readonly socket: NodeSocket;
  readonly #deps: ConnectionDeps;
  readonly #allows: (nodeId: string) => boolean;
  readonly #leaveUnregistered: () => void;
  readonly #queue: SerialQueue;
  readonly #badFrames: BadFrameCounter;
  readonly #onEnded: () => void;
  #session: NodeSession | null = null;
  #paused = false;

  constructor(
    deps: ConnectionDeps,
    options: {
      readonly credential: string;
      readonly allows: (nodeId: string) => boolean;
      readonly leaveUnregistered: () => void;
      readonly onEnded: () => void;
      readonly openSocket: (listener: NodeSocketListener) => NodeSocket;
    },
  ) {
    this.#deps = deps;
    this.credential = options.credential;
    this.#allows = options.allows;
    this.connectedAtMs = deps.clock.monotonicMs();
    this.#leaveUnregistered = options.leaveUnregistered;
    this.#onEnded = options.onEnded;
    this.#badFrames = new BadFrameCounter(deps.limits.badFramesPerMinute);
    this.#queue = new SerialQueue(
      (inHand) => this.#holdBack(inHand),
      (error) => deps.logger.error({ err: error, nodeId: this.nodeId }, "a frame could not be handled"),
    );
    this.socket = options.openSocket(this);
  }

  get session(): NodeSession | null {
    return this.#session;
  }

  get nodeId(): string | null {
    return this.#session?.provider.providerId ?? null;
  }

  /** Registered, and its socket is open. */
  get isOnline(): boolean {
    return this.#session !== null && this.socket.isOpen;
  }

  tick(nowMs: number): void {
    this.socket.tick(nowMs);
    if (!this.socket.isOpen) return;
    const { limits, events } = this.#deps;
    if (this.#session !== null) {
      if (this.socket.takeHeard()) events.nodeHeard(this.#session.provider.providerId);
    } else if (nowMs - this.connectedAtMs >= limits.registerMs) {
      this.socket.close(CLOSE_CODES.policy, `no register within ${limits.registerMs} ms`);
    }
  }

  text(text: string): void {
    const session = this.#session;
    if (session === null) this.#introduce(text);
    else {
      this.#deps.onFrame("read");
      this.#queue.run(() => session.frame(text), text.length);
    }
  }

  binary(): void {
    this.#badFrame("a binary frame");
  }

  ended(clean: boolean): void {
    this.#leaveUnregistered();
    this.#onEnded();
    const session = this.#session;
    if (session === null) return;
    const { registry, events, logger } = this.#deps;
    const nodeId = session.provider.providerId;
    // Until the coordinator hears that it is gone it is given no more: what it is given would be lost.
    if (this.#queue.isBusy && registry.get(nodeId) === this) events.nodeLeaves(nodeId);
    registry.remove(nodeId, this);
    logger.info({ nodeId, reason: this.socket.endReason }, "a node's connection ended");
    const how = session.departure(clean);
    // Behind the results that it sent before.
    this.#queue.run(() => {
      // A newer connection of the same node took over what this one had.
      if (registry.get(nodeId) === null) events.nodeLost(nodeId, how);
    });
  }

  #introduce(text: string): void {
    if (text === V1_CLOSE_TEXT) {
      this.socket.close(CLOSE_CODES.done, "as you wish");
      return;
    }
    const introduction = readIntroduction(parseJson(text));
    switch (introduction.type) {
      case "bad":
        this.#badFrame(introduction.reason);
        break;
      case "refused":
        this.#deps.logger.info({ address: this.socket.address, reason: introduction.reason }, "a node was refused");
        this.socket.close(CLOSE_CODES.policy, introduction.reason.slice(0, 120));
        break;
      case "legacy":
        this.#register(new LegacySession(introduction.frame, this.#sessionDeps()));
        break;
      case "protocol2":
        this.#register(new Protocol2Session(introduction.frame, this.#sessionDeps()));
        break;
    }
  }

  #register(session: NodeSession): void {
    const { registry, clock, logger } = this.#deps;
    const nodeId = session.provider.providerId;
    const admission: Admission<NodeConnection> = this.#allows(nodeId)
      ? registry.admit(nodeId, this, clock.monotonicMs())
      : { type: "foreign" };
    if (admission.type !== "admitted") {
      logger.warn({ nodeId, address: this.socket.address, refusal: admission.type }, "a node id is taken");
      if (admission.type === "damped") this.socket.close(CLOSE_CODES.tryLater, "several nodes use this id");
      else this.socket.close(CLOSE_CODES.policy, FOREIGN_NODE_ID);
      return;
    }
    this.#leaveUnregistered();
    this.#session = session;
    this.socket.registered(session.frameBytesMax);
    admission.replaced?.socket.close(CLOSE_CODES.replaced, "replaced by a newer connection");
    // Whatever the node sends meanwhile waits for this.
    this.#queue.run(() => this.#join(session));
  }

  async #join(session: NodeSession): Promise<void> {
    try {
      const { provider, held, bootId } = session;
      const answer = await this.#deps.events.nodeJoined(provider, held, bootId);
      if (answer.type === "joined") session.joined(answer);
      else this.socket.close(CLOSE_CODES.tryLater, answer.reason.slice(0, 120));
    } catch (error) {
      this.#deps.logger.error({ err: error, nodeId: this.nodeId }, "a node could not be taken in");
      this.socket.close(CLOSE_CODES.tryLater, "the server can't take nodes at present");
    }
  }

  #sessionDeps(): SessionDeps {
    return {
      ...this.#deps,
      socket: this.socket,
      badFrame: (why) => this.#badFrame(why),
      unknownFrame: (type) => {
        this.#deps.onFrame("unknown");
        this.#deps.logger.debug({ nodeId: this.nodeId, type: type.slice(0, 64) }, "a frame of an unknown type");
      },
    };
  }

  #badFrame(why: string): void {
    const { clock, logger, onFrame } = this.#deps;
    onFrame("bad");
    logger.debug({ nodeId: this.nodeId, address: this.socket.address, why }, "a bad frame");
    if (this.#badFrames.add(clock.monotonicMs())) this.socket.close(CLOSE_CODES.policy, "too many bad frames");
  }

  #holdBack({ waiting, size }: InHand): void {
    const tooMuch = waiting > WAITING_FRAMES_MAX || size > CHARS_IN_HAND_MAX;
    const paused = waiting > 0 && (tooMuch || this.#paused);
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.socket.pause();
    else this.socket.resume();
  }
}
