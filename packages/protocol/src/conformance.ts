/** Tools to hold an implementation of either side of the protocol against what the protocol's page says. */
export { FORBIDDEN_URLS } from "./conformance/forbidden-urls.ts";
export { FRAME_ATTACKS, type FuzzReport, fuzzFrames } from "./conformance/frame-fuzz.ts";
export type { LinkFault } from "./conformance/link-fault.ts";
export { NODE_CASES, type NodeUnderTest } from "./conformance/node-cases.ts";
export { Random } from "./conformance/random.ts";
export { rawFrame } from "./conformance/raw-frame.ts";
export { handshake, RawSocket } from "./conformance/raw-socket.ts";
export { SERVER_CASES } from "./conformance/server-cases.ts";
export { type Direction, TcpProxy } from "./conformance/tcp-proxy.ts";
