/** What the gateway bounds. Times in milliseconds, sizes in bytes. */
export interface GatewayLimits {
  /** Longest message of a legacy node; longer ones end the socket with 1009. */
  readonly frameBytesMax: number;
  /** Longest message of a protocol-2 node, either way. */
  readonly protocol2FrameBytesMax: number;
  /** All that a socket may send before it has registered, counted as it comes over the wire. */
  readonly beforeRegisterBytesMax: number;
  /** The same for a compressed message: deflate packs a thousandfold, and 16 KiB can't unpack to more than 17 MB. */
  readonly beforeRegisterCompressedBytesMax: number;
  /** A socket that has not registered by then is closed. */
  readonly registerMs: number;
  readonly pingMs: number;
  /** Without a byte received, or progress of a write of ours, for so long, a socket is ended. */
  readonly silenceMs: number;
  /** A socket whose waiting bytes have not moved for so long is ended, whatever it sends. */
  readonly writeStallMs: number;
  /** Bytes that may wait for a socket beyond the newest frame. */
  readonly unsentBytesMax: number;
  /** How often sockets are looked at. */
  readonly tickMs: number;
  /** How long a peer has to answer our close frame. */
  readonly closeMs: number;
  /** So many frames within a minute that can't be read close the socket with 1008. */
  readonly badFramesPerMinute: number;
  /** Unregistered sockets of one address; loopback is exempt. */
  readonly unregisteredPerAddressMax: number;
  readonly unregisteredMax: number;
  /** So many replacements of one node id within a minute: the newest stays, others are sent away for a minute. */
  readonly replacementsPerMinute: number;
  /** How often a node is asked to upload the pictures of one attempt again before it counts as its fault. */
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
