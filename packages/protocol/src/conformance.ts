/** Tools to hold an implementation of either side of the protocol against what the protocol's page says. */
export type { LinkFault } from "./conformance/link-fault.ts";
export { type Direction, TcpProxy } from "./conformance/tcp-proxy.ts";
