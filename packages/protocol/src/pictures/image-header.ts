const IMAGE_MIMES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"] as const;
type ImageMime = (typeof IMAGE_MIMES)[number];

/** True for the types that are served as pictures. SVG is none: it can hold scripts. */
export function isImageMime(mime: string | undefined): mime is ImageMime {
  return IMAGE_MIMES.some((each) => each === mime);
}

/** What the first bytes of a file say that it is. */
export interface ImageHeader {
  readonly mime: ImageMime;
  /** Pixels, or null where the header read so far does not tell. */
  readonly width: number | null;
  readonly height: number | null;
}

/** Most pixels that a picture may claim: 16,384 × 16,384, beyond what any engine draws. A few bytes that claim more make whoever
 *  opens the picture ask for gigabytes. */
export const PIXELS_MAX = 2 ** 28;

/** Whether a picture's claim about its size is one that a viewer can open: some pixels, and not too many. What says nothing passes. */
export function hasUsableSize({ width, height }: Pick<ImageHeader, "width" | "height">): boolean {
  if (width === null || height === null) return true;
  return width > 0 && height > 0 && width * height <= PIXELS_MAX;
}

/** So many bytes from the start are enough for the type, and nearly always for the size. */
export const IMAGE_HEADER_BYTES = 64 * 1024;

/** Type and size of a picture by its own bytes, never by its name; null for anything else (SVG and HTML among it). */
export function readImageHeader(bytes: Buffer): ImageHeader | null {
  if (bytes.length >= 24 && bytes.readUInt32BE(0) === 0x89504e47 && bytes.readUInt32BE(4) === 0x0d0a1a0a) {
    return { mime: "image/png", width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  }
  if (bytes.length >= 3 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) {
    return { mime: "image/jpeg", ...jpegSize(bytes) };
  }
  if (bytes.length >= 10 && /^GIF8[79]a$/.test(bytes.toString("latin1", 0, 6))) {
    return { mime: "image/gif", width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
  }
  if (bytes.length >= 16 && bytes.toString("latin1", 0, 4) === "RIFF" && bytes.toString("latin1", 8, 12) === "WEBP") {
    return { mime: "image/webp", ...webpSize(bytes) };
  }
  if (bytes.length >= 12 && /^ftypavi[fs]$/.test(bytes.toString("latin1", 4, 12))) {
    return { mime: "image/avif", ...avifSize(bytes) };
  }
  return null;
}

/** The same of a picture in base64. Decodes its start alone, unless that does not tell the size. */
export function headerOfBase64(base64: string): ImageHeader | null {
  const start = readImageHeader(Buffer.from(base64.slice(0, Math.ceil(IMAGE_HEADER_BYTES / 3) * 4), "base64"));
  return start === null || start.width !== null ? start : readImageHeader(Buffer.from(base64, "base64"));
}

type Size = Pick<ImageHeader, "width" | "height">;
const UNKNOWN: Size = { width: null, height: null };

/** The size stands in the first "start of frame" segment (ITU T.81, B.2.2). */
function jpegSize(bytes: Buffer): Size {
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return UNKNOWN;
}

/** The largest of the sizes in "image spatial extents" boxes (ISO/IEC 23008-12, 6.5.3): each part of a picture has one of its own. */
function avifSize(bytes: Buffer): Size {
  let largest = UNKNOWN;
  for (let at = bytes.indexOf("ispe"); at >= 0 && at + 16 <= bytes.length; at = bytes.indexOf("ispe", at + 4)) {
    const [width, height] = [bytes.readUInt32BE(at + 8), bytes.readUInt32BE(at + 12)];
    if (width * height >= (largest.width ?? 0) * (largest.height ?? 0)) largest = { width, height };
  }
  return largest;
}

/** Three forms of the first chunk: lossy, lossless, extended (RFC 9649). */
function webpSize(bytes: Buffer): Size {
  if (bytes.length < 30) return UNKNOWN;
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8 ":
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    case "VP8L": {
      const packed = bytes.readUInt32LE(21);
      return { width: (packed & 0x3fff) + 1, height: ((packed >> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return UNKNOWN;
  }
}
