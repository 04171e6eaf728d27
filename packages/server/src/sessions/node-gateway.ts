import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { type ServerOptions, WebSocketServer } from "ws";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import type { ArtifactUrls } from "../artifacts/artifact-urls.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { NodeEvents } from "../coordinator/node-events.ts";
import type { NodeSessions } from "../coordinator/node-sessions.ts";
import { baseUrlOver } from "../http/base-url.ts";
import { hasTwoHosts } from "../http/one-host.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "./gateway-limits.ts";
import { ignoreOffer } from "./ignore-offer.ts";
import { LEGACY_TERMS, type LegacyTerms } from "./legacy-provider.ts";
import type { AuthenticateNode, NodeAuthentication } from "./node-authentication.ts";
import { NodeConnection } from "./node-connection.ts";
import { NodeSocket } from "./node-socket.ts";
import { SessionRegistry } from "./session-registry.ts";
import { type SessionSnapshot, snapshotOf } from "./session-snapshot.ts";
import { UnregisteredSockets } from "./unregistered-sockets.ts";
import { refuseUpgrade } from "./upgrade-refusal.ts";

export interface NodeGatewayOptions {
  readonly httpServer: HttpServer;
  readonly events: NodeEvents;
  readonly artifacts: ArtifactStore;
  readonly urls: ArtifactUrls;
  readonly authenticate: AuthenticateNode;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Bounds that differ from {@link DEFAULT_GATEWAY_LIMITS}. */
  readonly limits?: Partial<GatewayLimits>;
  /** How nodes reach this server, or null: by the Host header of their own request. */
  readonly publicUrl?: string | null;
  /** Default {@link LEGACY_TERMS}. */
  readonly legacyTerms?: LegacyTerms;
  /** Largest picture, in bytes. Default 256 MiB. */
  readonly artifactBytesMax?: number;
  readonly metricsHooks?: GatewayMetricsHooks;
}

/** What the gateway lets others count. */
interface GatewayMetricsHooks {
  readonly frame?: (outcome: "read" | "bad" | "unknown") => void;
  readonly refusedUpgrade?: (status: number) => void;
}

/** The nodes that are connected, for the coordinator and for the API. */
export interface NodeGateway extends NodeSessions {
  /** Nodes whose connection is open. */
  onlineNodeCount(): number;
  sessions(): readonly SessionSnapshot[];
  /** Takes no new connections and closes the open ones; nodes are told to come back after up to `afterMs`. Resolves when all are gone. */
  closeAll(options: { readonly afterMs: number }): Promise<void>;
}

/** Takes nodes in on path `/` of an HTTP server. */
export function createNodeGateway(options: NodeGatewayOptions): NodeGateway {
  return new WebSocketGateway(options);
}

class WebSocketGateway implements NodeGateway {
  readonly #options: NodeGatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #clock: Clock;
  readonly #registry: SessionRegistry<NodeConnection>;
  readonly #unregistered: UnregisteredSockets;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<NodeConnection>();
  readonly #ticker: NodeJS.Timeout;
  readonly #onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  #closing = false;
  #allGone: (() => void) | null = null;

  constructor(options: NodeGatewayOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#registry = new SessionRegistry<NodeConnection>(this.#limits.replacementsPerMinute);
    this.#unregistered = new UnregisteredSockets(this.#limits.unregisteredPerAddressMax, this.#limits.unregisteredMax);
    this.#webSockets = new WebSocketServer(webSocketOptions(this.#limits));
    this.#onUpgrade = (request, socket, head) => {
      void this.#upgrade(request, socket as Socket, head);
    };
    options.httpServer.on("upgrade", this.#onUpgrade);
    this.#ticker = setInterval(() => this.#tick(), this.#limits.tickMs);
    this.#ticker.unref();
  }

  deliver: NodeSessions["deliver"] = (nodeId, delivery) => this.#registry.get(nodeId)?.session?.deliver(delivery);
  abort: NodeSessions["abort"] = (nodeId, attemptId, reason) =>
    this.#registry.get(nodeId)?.session?.abort(attemptId, reason);
  acknowledge: NodeSessions["acknowledge"] = (nodeId, attemptId, verdict) =>
    this.#registry.get(nodeId)?.session?.acknowledge(attemptId, verdict);
  disconnect: NodeSessions["disconnect"] = (nodeId, reason) =>
    this.#registry.get(nodeId)?.socket.close(CLOSE_CODES.policy, reason.slice(0, 120));

  onlineNodeCount(): number {
    return this.#registry.onlineCount();
  }

  sessions(): readonly SessionSnapshot[] {
    return [...this.#registry.all()].flatMap((connection) => snapshotOf(connection, this.#clock) ?? []);
  }

  closeAll({ afterMs }: { readonly afterMs: number }): Promise<void> {
    this.#closing = true;
    for (const connection of [...this.#connections]) {
      // Spread, or all of a fleet knocks in one moment.
      connection.session?.reconnect(Math.floor(Math.random() * (afterMs + 1)));
      connection.socket.close(CLOSE_CODES.restart, "the server stops");
    }
    return new Promise((resolve) => {
      this.#allGone = () => {
        clearInterval(this.#ticker);
        this.#options.httpServer.off("upgrade", this.#onUpgrade);
        this.#webSockets.close();
        resolve();
      };
      this.#resolveWhenAllGone();
    });
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (request.headers.upgrade?.toLowerCase() !== "websocket") {
      return ignoreOffer(this.#options.httpServer, request, socket, head);
    }
    // An upgraded socket has no error listener of its own yet.
    const ignore = (): void => {};
    socket.on("error", ignore);
    const refuse = (status: number, error: string, headers?: Readonly<Record<string, string>>): void => {
      this.#options.metricsHooks?.refusedUpgrade?.(status);
      refuseUpgrade(socket, status, error, headers);
    };
    const [path] = (request.url ?? "/").split("?", 1);
    if (hasTwoHosts(request)) return refuse(400, "there are two Host headers");
    if (path !== "/") return refuse(404, "nodes connect on path /");
    if (this.#closing) return refuse(503, "the server stops", { "Retry-After": "2" });
    const address = socket.remoteAddress ?? "";
    if (!this.#unregistered.hasRoom(address)) {
      return refuse(503, "too many connections that have not registered", { "Retry-After": "10" });
    }
    const leave = this.#unregistered.enter(address);
    try {
      const authentication = await this.#options.authenticate(request);
      if (!authentication.ok) {
        leave();
        return refuse(authentication.status, authentication.error);
      }
      this.#accept(request, socket, head, authentication, leave);
    } catch (error) {
      leave();
      this.#options.logger.error({ err: error }, "a node could not be authenticated");
      refuse(503, "nodes can't be authenticated at present", { "Retry-After": "2" });
    } finally {
      socket.off("error", ignore);
      if (!socket.listenerCount("error")) socket.on("error", ignore);
    }
  }

  #accept(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    { credential, allows = () => true }: Extract<NodeAuthentication, { ok: true }>,
    leave: () => void,
  ): void {
    const limits = this.#limits;
    const clock = this.#clock;
    const scheme = "encrypted" in request.socket ? "https" : "http";
    const baseUrl = baseUrlOver(scheme, request, this.#options.publicUrl ?? null);
    let taken = false;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      taken = true;
      const { events, artifacts, urls, logger } = this.#options;
      const connection: NodeConnection = new NodeConnection(
        {
          registry: this.#registry,
          events,
          artifacts,
          urls,
          limits,
          clock,
          logger,
          legacyTerms: this.#options.legacyTerms ?? LEGACY_TERMS,
          artifactBytesMax: this.#options.artifactBytesMax ?? 256 * 1_024 * 1_024,
          onFrame: (outcome) => this.#options.metricsHooks?.frame?.(outcome),
        },
        {
          credential,
          allows,
          leaveUnregistered: leave,
          onEnded: () => this.#gone(connection),
          openSocket: (listener) => new NodeSocket(webSocket, socket, { baseUrl, limits, clock }, listener),
        },
      );
      this.#connections.add(connection);
    });
    // ws answered a broken handshake by itself.
    if (!taken) leave();
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#connections) connection.tick(nowMs);
    this.#registry.sweep(nowMs);
  }

  #gone(connection: NodeConnection): void {
    this.#connections.delete(connection);
    this.#resolveWhenAllGone();
  }

  #resolveWhenAllGone(): void {
    if (this.#connections.size === 0) this.#allGone?.();
  }
}

/** `closeTimeout` is newer than ws's published types. */
function webSocketOptions(limits: GatewayLimits): ServerOptions & { readonly closeTimeout: number } {
  return {
    noServer: true,
    clientTracking: false,
    maxPayload: limits.frameBytesMax,
    // Legacy nodes offer it. Without context takeover a socket keeps no window between messages.
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true, concurrencyLimit: 4 },
    closeTimeout: limits.closeMs,
  };
}
