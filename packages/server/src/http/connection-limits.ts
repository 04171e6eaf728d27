import type { Server } from "node:http";
import type { Socket } from "node:net";
import ipaddr from "ipaddr.js";
import { addressKey } from "./address-key.ts";

export interface ConnectionLimits {
  /** Open connections in all. */
  readonly max: number;
  /** Open connections of one address, or of one /64 of IPv6. This machine and trusted proxies are exempt. */
  readonly perAddressMax: number;
  /** Addresses and ranges. */
  readonly trustedProxies: readonly string[];
}

/** Cuts connections beyond the limits at once, before a byte of them is read. Nodes' sockets count until they end. Returns what tells how
 *  many are open. */
export function limitConnections(
  server: Server,
  { max, perAddressMax, trustedProxies }: ConnectionLimits,
): () => number {
  const byAddress = new Map<string, number>();
  const trusted = trustedProxies.filter((entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry)).map(rangeOf);
  const counted = new WeakSet<Socket>();
  let open = 0;
  server.prependListener("connection", (socket: Socket) => {
    // One whose offer of another protocol was ignored begins anew.
    if (counted.has(socket)) return;
    const address = socket.remoteAddress ?? "";
    const key = addressKey(address);
    const ofAddress = byAddress.get(key) ?? 0;
    if (open >= max || (ofAddress >= perAddressMax && !isExempt(address, trusted))) {
      socket.destroy();
      return;
    }
    open += 1;
    counted.add(socket);
    byAddress.set(key, ofAddress + 1);
    socket.once("close", () => {
      open -= 1;
      const rest = (byAddress.get(key) ?? 1) - 1;
      if (rest === 0) byAddress.delete(key);
      else byAddress.set(key, rest);
    });
  });
  return () => open;
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

function rangeOf(entry: string): Range {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
  const address = ipaddr.process(entry);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

function isExempt(text: string, trusted: readonly Range[]): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  if (address.range() === "loopback") return true;
  return trusted.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
}
