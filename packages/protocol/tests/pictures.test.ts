import { expect, test } from "@jest/globals";
import { hasUsableSize, headerOfBase64, PIXELS_MAX, readImageHeader } from "../src/pictures.ts";

/** A picture whose header claims a size; only what is read of it is real. */
const CLAIMS: Readonly<Record<string, (width: number, height: number) => Buffer>> = {
  png: (width, height) => {
    const bytes = Buffer.concat([Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), Buffer.alloc(17)]);
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
    return bytes;
  },
  gif: (width, height) => {
    const bytes = Buffer.from("GIF89a\0\0\0\0\0\0\0", "latin1");
    bytes.writeUInt16LE(width, 6);
    bytes.writeUInt16LE(height, 8);
    return bytes;
  },
  jpeg: (width, height) => {
    const note = Buffer.concat([Buffer.from("ffe1fffe", "hex"), Buffer.alloc(65_532)]);
    const frame = Buffer.from("ffc0001108000000000301220002110103110100", "hex");
    frame.writeUInt16BE(height, 5);
    frame.writeUInt16BE(width, 7);
    return Buffer.concat([Buffer.from("ffd8", "hex"), note, note, frame]);
  },
  avif: (width, height) => {
    const box = (w: number, h: number): Buffer => {
      const bytes = Buffer.concat([Buffer.from("00000014", "hex"), Buffer.from("ispe"), Buffer.alloc(12)]);
      bytes.writeUInt32BE(w, 12);
      bytes.writeUInt32BE(h, 16);
      return bytes;
    };
    const head = Buffer.concat([Buffer.from("0000001c", "hex"), Buffer.from("ftypavif")]);
    return Buffer.concat([head, box(64, 64), box(width, height), box(64, 64)]);
  },
};

test.each(Object.keys(CLAIMS))("the size that a %s claims is read, from its bytes and from base64", (kind) => {
  const picture = CLAIMS[kind]?.(640, 480) ?? Buffer.alloc(0);
  expect(readImageHeader(picture)).toEqual({ mime: `image/${kind}`, width: 640, height: 480 });
  expect(headerOfBase64(picture.toString("base64"))).toEqual(readImageHeader(picture));
});

test.each(["png", "avif"])(
  "a %s that claims more pixels than anybody can open is told from one that does not",
  (kind) => {
    const of = (width: number, height: number) => readImageHeader(CLAIMS[kind]?.(width, height) ?? Buffer.alloc(0));
    const side = Math.sqrt(PIXELS_MAX);
    expect(
      [of(side, side), of(side, side + 1), of(0xffff_ffff, 0xffff_ffff)].map((header) =>
        hasUsableSize(header ?? { width: 0, height: 0 }),
      ),
    ).toEqual([true, false, false]);
  },
);

test("boxes that are cut off and headers of nothing are no size", () => {
  expect(readImageHeader(Buffer.from("\0\0\0\x1cftypavif\0\0ispe", "latin1"))).toEqual({
    mime: "image/avif",
    width: null,
    height: null,
  });
  expect(readImageHeader(Buffer.alloc(0))).toBeNull();
  expect(headerOfBase64("")).toBeNull();
});
