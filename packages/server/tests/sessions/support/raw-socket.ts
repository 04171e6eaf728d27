import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawFrame {
  readonly opcode?: number;
  readonly fin?: boolean;
  /** RSV1: the payload is said to be compressed. */
  readonly compressed?: boolean;
  /** What the header says where it differs from the payload's own length. */
  readonly declaredBytes?: number;
}

/** A client's frame, masked with zeros: any mask is one, and the payload stays readable. */
export function rawFrame(payload: string | Uint8Array, frame: RawFrame = {}): Buffer {
  const body = Buffer.from(payload as Uint8Array);
  const bytes = frame.declaredBytes ?? body.length;
  const first = ((frame.fin ?? true) ? 0x80 : 0) | (frame.compressed ? 0x40 : 0) | (frame.opcode ?? 1);
  const length = bytes < 126 ? Buffer.from([0x80 | bytes]) : Buffer.alloc(bytes < 65_536 ? 3 : 9);
  if (bytes >= 65_536) {
    length[0] = 0xff;
    length.writeBigUInt64BE(BigInt(bytes), 1);
  } else if (bytes >= 126) {
    length[0] = 0xfe;
    length.writeUInt16BE(bytes, 1);
  }
  return Buffer.concat([Buffer.from([first]), length, Buffer.alloc(4), body]);
}

/** A WebSocket connection without a WebSocket library: it can say what no library would. */
export async function rawWebSocket(
  port: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ socket: Socket; ended: Promise<number | null> }> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(handshake(port, headers));
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(answer.toString("latin1"));
  return { socket, ended: closeCode(socket) };
}

export function handshake(port: number, headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    Host: `127.0.0.1:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** The code of the server's close frame once the connection is over, or null where none came. */
async function closeCode(socket: Socket): Promise<number | null> {
  let code: number | null = null;
  let bytes = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2) {
      const short = (bytes[1] ?? 0) & 0x7f;
      const [start, length] = short === 126 ? [4, bytes.length < 4 ? 0 : bytes.readUInt16BE(2)] : [2, short];
      if (bytes.length < start + length) return;
      if (((bytes[0] ?? 0) & 0x0f) === 8 && length >= 2) code = bytes.readUInt16BE(start);
      bytes = bytes.subarray(start + length);
    }
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return code;
}
