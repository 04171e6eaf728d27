import type { Socket } from "node:net";

/** libuv's own counters of a TCP stream. Node has no public name for them, and reads `writeQueueSize` for the same purpose in
 *  `Socket.setTimeout`: bufferedAmount and writableLength hold a large frame at its full size until its last byte leaves. */
interface StreamHandle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/** The progress of our writes to a socket. */
export interface WriteProgress {
  /** Bytes that the kernel has taken since the socket was opened. */
  readonly takenBytes: number;
  /** Bytes handed to the kernel that it has not taken yet. */
  readonly waitingBytes: number;
}

export function writeProgress(socket: Socket): WriteProgress {
  const handle = (socket as unknown as { readonly _handle?: StreamHandle | null })._handle;
  const waitingBytes = handle?.writeQueueSize ?? socket.writableLength;
  return { takenBytes: (handle?.bytesWritten ?? socket.bytesWritten) - waitingBytes, waitingBytes };
}
