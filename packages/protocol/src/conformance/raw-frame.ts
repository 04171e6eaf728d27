/** What stands in a frame's header where it is not the obvious. */
export interface RawFrame {
  /** Default 1, text. */
  readonly opcode?: number;
  /** Default true. */
  readonly fin?: boolean;
  /** RSV1: the payload is said to be compressed. */
  readonly compressed?: boolean;
  /** What the header says of the length where it differs from the payload's own. */
  readonly declaredBytes?: number;
  /** False: a server's frame. A client's are masked with zeros: any mask is one, and the payload stays readable. */
  readonly masked?: boolean;
}

/** One WebSocket frame (RFC 6455, 5.2), also such as no library would write. */
export function rawFrame(payload: string | Uint8Array, frame: RawFrame = {}): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const bytes = frame.declaredBytes ?? body.length;
  const masked = frame.masked ?? true;
  const mask = masked ? 0x80 : 0;
  const first = ((frame.fin ?? true) ? 0x80 : 0) | (frame.compressed ? 0x40 : 0) | (frame.opcode ?? 1);
  const length = bytes < 126 ? Buffer.from([mask | bytes]) : Buffer.alloc(bytes < 65_536 ? 3 : 9);
  if (bytes >= 65_536) {
    length[0] = mask | 127;
    length.writeBigUInt64BE(BigInt(bytes), 1);
  } else if (bytes >= 126) {
    length[0] = mask | 126;
    length.writeUInt16BE(bytes, 1);
  }
  return Buffer.concat([Buffer.from([first]), length, Buffer.alloc(masked ? 4 : 0), body]);
}

/** A frame as it was read; `payload` without its mask. */
export interface ReadFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes frames out of a byte stream. Holds at most one unfinished frame; messages in fragments come as their fragments. */
export class RawFrameReader {
  #bytes = Buffer.alloc(0);

  feed(chunk: Uint8Array): readonly ReadFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const frames: ReadFrame[] = [];
    for (let frame = this.#take(); frame !== null; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): ReadFrame | null {
    const bytes = this.#bytes;
    const [first, second] = bytes;
    if (first === undefined || second === undefined) return null;
    const short = second & 0x7f;
    const maskAt = short === 126 ? 4 : short === 127 ? 10 : 2;
    const start = maskAt + ((second & 0x80) === 0 ? 0 : 4);
    if (bytes.length < start) return null;
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < start + length) return null;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (start > maskAt) {
      const mask = bytes.subarray(maskAt, start);
      for (let at = 0; at < length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0);
    }
    this.#bytes = bytes.subarray(start + length);
    return { opcode: first & 0x0f, payload };
  }
}
