import { ReplacementDamper } from "./replacement-damper.ts";

/** What the registry has to know of a connection. */
export interface RegisteredConnection {
  /** Who it is, as far as another may take its place. */
  readonly credential: string;
  readonly isOnline: boolean;
}

export type Admission<Connection> =
  | { readonly type: "admitted"; readonly replaced: Connection | null }
  /** The id is fought over; the one that has it keeps it for a minute. */
  | { readonly type: "damped" }
  /** The id is held by a connection with other credentials. */
  | { readonly type: "foreign" };

/** Which connection speaks for which node id: the newest. */
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

  /** Takes the connection out, unless a newer one stands for its id. */
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
