import { ReplacementDamper } from "./replacement-damper.ts";

/** What the registry needs to know about a connection. */
export interface RegisteredConnection {
  /** Only a connection with the same credential may replace it. */
  readonly credential: string;
  readonly isOnline: boolean;
}

export type Admission<Connection> =
  | { readonly type: "admitted"; readonly replaced: Connection | null }
  /** The id was replaced too often; the connection that has it keeps it for a minute. */
  | { readonly type: "damped" }
  /** The id is held by a connection with other credentials. */
  | { readonly type: "foreign" };

/** Maps each node id to its newest connection. */
export class SessionRegistry<Connection extends RegisteredConnection> {
  readonly #byNodeId = new Map<string, Connection>();
  readonly #damper: ReplacementDamper;

  constructor(replacementsPerMinute: number) {
    this.#damper = new ReplacementDamper(replacementsPerMinute);
  }

  admit(nodeId: string, connection: Connection, nowMs: number): Admission<Connection> {
    const standing = this.#byNodeId.get(nodeId) ?? null;
    if (standing?.isOnline) {
      if (standing.credential !== connection.credential) return { type: "foreign" };
      if (!this.#damper.mayReplace(nodeId, nowMs)) return { type: "damped" };
    }
    this.#byNodeId.set(nodeId, connection);
    return { type: "admitted", replaced: standing };
  }

  get(nodeId: string): Connection | null {
    return this.#byNodeId.get(nodeId) ?? null;
  }

  /** Removes the connection, unless a newer one has taken over its id. */
  remove(nodeId: string, connection: Connection): void {
    if (this.#byNodeId.get(nodeId) === connection) this.#byNodeId.delete(nodeId);
  }

  all(): Iterable<Connection> {
    return this.#byNodeId.values();
  }

  onlineCount(): number {
    let count = 0;
    for (const connection of this.#byNodeId.values()) if (connection.isOnline) count++;
    return count;
  }

  sweep(nowMs: number): void {
    this.#damper.sweep(nowMs);
  }
}
