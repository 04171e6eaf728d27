import type { Provider } from "@genai/dispatcher";
import type { Clock } from "../clock.ts";
import type { NodeConnection } from "./node-connection.ts";

/** A connected node as the API shows it. */
export interface SessionSnapshot {
  readonly nodeId: string;
  readonly protocol: 1 | 2;
  readonly bootId: string | null;
  readonly address: string;
  readonly provider: Provider;
  readonly connectedForMs: number;
  /** Bytes that wait to be read by the node. */
  readonly unsentBytes: number;
}

/** Null where the connection is no node's, or is over. */
export function snapshotOf(connection: NodeConnection, clock: Clock): SessionSnapshot | null {
  const { session, socket } = connection;
  if (session === null || !socket.isOpen) return null;
  return {
    nodeId: session.provider.providerId,
    protocol: session.protocol,
    bootId: session.bootId,
    address: socket.address,
    provider: session.provider,
    connectedForMs: clock.monotonicMs() - connection.connectedAtMs,
    unsentBytes: socket.unsentBytes,
  };
}
