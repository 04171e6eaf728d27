import { encodePng } from "../../src/engines/test/png.ts";

/** A PNG of one colour. */
export function plainPng(width: number, height: number, grey = 128): Promise<Buffer> {
  return encodePng(width, height, new Uint8Array(width * height * 3).fill(grey));
}

/** Width and height by a PNG's header. */
export function pngSize(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.toString("latin1", 1, 4) !== "PNG") throw new Error("no PNG");
  return { width: view.readUInt32BE(16), height: view.readUInt32BE(20) };
}

/** A JPEG's first bytes, enough for what looks at them. */
export const JPEG_HEAD = Buffer.from("ffd8ffe000104a46494600010100000100010000ffd9", "hex");
