const LONGEST_HEADER_BYTES = 14;

/** Follows one client's WebSocket byte stream by its frame headers (RFC 6455, 5.2) and keeps none of the payload. ws has one limit
 *  for all sockets of a server and checks a compressed message only as it unpacks; this knows a message's length, for each
 *  socket, as soon as its header is here. */
export class FrameMeter {
  readonly #header = new Uint8Array(LONGEST_HEADER_BYTES);
  #headerBytes = 0;
  #payloadBytesLeft = 0;
  #totalBytes = 0;
  #messageBytes = 0;
  #longestBytes = 0;
  #compressed = false;

  /** Everything that came so far, headers included. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Longest message that has been announced since the last call of {@link feed} began; all its fragments so far, as on the wire. */
  get longestBytes(): number {
    return this.#longestBytes;
  }

  /** The newest message is compressed. */
  get compressed(): boolean {
    return this.#compressed;
  }

  feed(chunk: Uint8Array): void {
    this.#totalBytes += chunk.length;
    this.#longestBytes = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadBytesLeft > 0) {
        const skipped = Math.min(this.#payloadBytesLeft, chunk.length - at);
        this.#payloadBytesLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
      if (this.#headerBytes >= 2 && this.#headerBytes === headerLength(this.#header)) this.#beginFrame();
    }
  }

  #beginFrame(): void {
    const [first = 0] = this.#header;
    const bytes = payloadLength(this.#header);
    const opcode = first & 0x0f;
    this.#headerBytes = 0;
    this.#payloadBytesLeft = bytes;
    // Control frames stand between the fragments of a message and hold at most 125 bytes.
    if (opcode >= 8) return;
    if (opcode === 0) this.#messageBytes += bytes;
    else {
      this.#messageBytes = bytes;
      this.#compressed = (first & 0x40) !== 0;
    }
    this.#longestBytes = Math.max(this.#longestBytes, this.#messageBytes);
  }
}

function headerLength(header: Uint8Array): number {
  const second = header[1] ?? 0;
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadLength(header: Uint8Array): number {
  const view = new DataView(header.buffer);
  const short = (header[1] ?? 0) & 0x7f;
  if (short === 126) return view.getUint16(2);
  return short === 127 ? view.getUint32(2) * 2 ** 32 + view.getUint32(6) : short;
}
