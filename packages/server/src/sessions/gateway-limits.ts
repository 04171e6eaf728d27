/** What the gateway bounds. Times in milliseconds, sizes in bytes. */
export interface GatewayLimits {
  /** Longest message of a legacy node; longer ones end the socket with 1009. */
  readonly frameBytesMax: number;
  /** Longest message of a protocol-2 node, either way. */
  readonly protocol2FrameBytesMax: number;
  /** What a socket may send in total before it has registered, as counted on the wire. */
  readonly beforeRegisterBytesMax: number;
  /** The same for a compressed message. Deflate compresses at most a thousandfold, so 16 KiB can't inflate to more than 17 MB. */
  readonly beforeRegisterCompressedBytesMax: number;
  /** How long a socket has to register before it is closed. */
  readonly registerMs: number;
  readonly pingMs: number;
  /** How long a socket may go without a byte received, or progress of a write of ours, before it is ended. */
  readonly silenceMs: number;
  /** How long bytes waiting to be sent may make no progress before the socket is ended, whatever it sends meanwhile. */
  readonly writeStallMs: number;
  /** Bytes that may wait to be sent to a socket, beyond the newest frame. */
  readonly unsentBytesMax: number;
  /** How often sockets are checked. */
  readonly tickMs: number;
  /** How long a peer has to answer our close frame. */
  readonly closeMs: number;
  /** Unreadable frames within a minute at which the socket is closed with 1008. */
  readonly badFramesPerMinute: number;
  /** Unregistered sockets of one address; loopback is exempt. */
  readonly unregisteredPerAddressMax: number;
  readonly unregisteredMax: number;
  /** Replacements of one node id within a minute; after that the newest connection stays, and others are turned away for a minute. */
  readonly replacementsPerMinute: number;
  /** How often a node is asked to upload the pictures of one attempt again before that counts as the node's fault. */
  readonly uploadRoundsMax: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
  frameBytesMax: 64 * MIB,
  protocol2FrameBytesMax: MIB,
  beforeRegisterBytesMax: 64 * KIB,
  beforeRegisterCompressedBytesMax: 16 * KIB,
  registerMs: 10_000,
  pingMs: 10_000,
  silenceMs: 25_000,
  writeStallMs: 20_000,
  unsentBytesMax: 64 * MIB,
  tickMs: 500,
  closeMs: 2_000,
  badFramesPerMinute: 100,
  unregisteredPerAddressMax: 100,
  unregisteredMax: 20_000,
  replacementsPerMinute: 5,
  uploadRoundsMax: 3,
  leaseMs: 30_000,
  heartbeatMs: 10_000,
};
