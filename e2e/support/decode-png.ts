import { crc32, inflateSync } from "node:zlib";

export interface DecodedPng {
  readonly width: number;
  readonly height: number;
  /** Unfiltered rows, three bytes a pixel. */
  readonly pixels: Uint8Array;
}

/** Decodes a PNG of 8-bit RGB without interlacing, checking every sum on the way. Throws where a byte is wrong. */
export function decodePng(bytes: Buffer): DecodedPng {
  if (bytes.subarray(0, 8).toString("latin1") !== "\x89PNG\r\n\x1a\n") throw new Error("It is no PNG.");
  const chunks = [...chunksOf(bytes)];
  const header = chunks[0];
  if (header?.type !== "IHDR" || chunks.at(-1)?.type !== "IEND") throw new Error("The PNG is cut short.");
  const [width, height] = [header.data.readUInt32BE(0), header.data.readUInt32BE(4)];
  const form = [...header.data.subarray(8, 13)].join(" ");
  if (form !== "8 2 0 0 0") throw new Error(`A PNG of form ${form} is not for this decoder.`);
  const data = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === "IDAT").map((chunk) => chunk.data)));
  return { width, height, pixels: unfilter(data, width * 3, height) };
}

function* chunksOf(bytes: Buffer): Iterable<{ type: string; data: Buffer }> {
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const body = bytes.subarray(at + 4, at + 8 + length);
    if (crc32(body) !== bytes.readUInt32BE(at + 8 + length)) throw new Error(`The PNG is damaged at byte ${at}.`);
    yield { type: body.subarray(0, 4).toString("latin1"), data: body.subarray(4) };
    at += 12 + length;
  }
}

function unfilter(data: Buffer, rowBytes: number, height: number): Uint8Array {
  if (data.length !== height * (rowBytes + 1)) throw new Error("The PNG has more or fewer rows than it says.");
  const pixels = new Uint8Array(rowBytes * height);
  for (let row = 0; row < height; row += 1) {
    const filter = data[row * (rowBytes + 1)] ?? 0;
    for (let n = 0; n < rowBytes; n += 1) {
      const at = row * rowBytes + n;
      const left = n < 3 ? 0 : (pixels[at - 3] ?? 0);
      const up = row === 0 ? 0 : (pixels[at - rowBytes] ?? 0);
      const corner = n < 3 || row === 0 ? 0 : (pixels[at - rowBytes - 3] ?? 0);
      pixels[at] = (data[row * (rowBytes + 1) + 1 + n] ?? 0) + predicted(filter, left, up, corner);
    }
  }
  return pixels;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
      return a <= b && a <= c ? left : b <= c ? up : corner;
    }
    default:
      throw new Error(`The PNG has a row with filter ${filter}.`);
  }
}
