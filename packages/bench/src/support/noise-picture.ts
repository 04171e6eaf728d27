import { randomFillSync } from "node:crypto";

/** The first bytes of a PNG of 1,024 × 1,024: as much as a server looks at. */
const PNG_HEAD = Buffer.from("89504e470d0a1a0a0000000d49484452000004000000040008020000", "hex");

/** A picture of so many bytes that no compression makes smaller: a PNG's head and noise. No two are alike. */
export function noisePicture(bytes: number): Buffer {
  const picture = randomFillSync(Buffer.allocUnsafe(bytes));
  PNG_HEAD.copy(picture);
  return picture;
}
