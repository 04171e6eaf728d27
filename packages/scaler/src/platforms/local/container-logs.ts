import type { LogChunk } from "../../core/platform.ts";

/** Length of the header before each piece in the engine's log stream: kind (1 = out, 2 = err), three zeros, length as 32 bits. */
const HEADER_BYTES = 8;

/** Takes the engine's multiplexed log apart. A terminal's log has no headers; our containers have no terminal. */
export async function* splitLog(stream: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncIterable<LogChunk> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const data of stream) {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32BE(4);
      if (rest.length < end) break;
      yield { data: rest.subarray(HEADER_BYTES, end), stderr: rest[0] === 2 };
      rest = rest.subarray(end);
    }
  }
}

/** The last lines of a log, each at most 500 characters, without empty ones. */
export async function lastLines(chunks: AsyncIterable<LogChunk>, linesMax: number): Promise<readonly string[]> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk.data);
  const lines = Buffer.concat(pieces).toString("utf8").split("\n");
  const told = lines.map((line) => line.trimEnd().slice(0, 500)).filter((line) => line !== "");
  return told.slice(-linesMax);
}
