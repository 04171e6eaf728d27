import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { InputPicture } from "./input-image.ts";

/** Bytes that are encoded at once: a multiple of three, so that the pieces of base64 make one. */
const PIECE_BYTES = 3 * 64 * 1024;

/** Stands for the picture in a value until the body goes out; no JSON of a task can hold it, for it is new in each process. */
export const PICTURE_PLACE = `picture-${crypto.randomUUID()}`;

/** The value as a body of JSON, with the picture in base64 where {@link PICTURE_PLACE} stands. It streams: a body holds a large picture only in
 *  pieces. */
export function jsonBody(value: unknown, picture: InputPicture | null): string | Readable {
  const text = JSON.stringify(value);
  if (picture === null) return text;
  const [before = "", after = ""] = text.split(PICTURE_PLACE);
  return Readable.from(
    (async function* () {
      yield before;
      yield* base64Of(picture);
      yield after;
    })(),
  );
}

async function* base64Of(picture: InputPicture): AsyncGenerator<string> {
  if (Buffer.isBuffer(picture)) {
    for (let at = 0; at < picture.length; at += PIECE_BYTES)
      yield picture.subarray(at, at + PIECE_BYTES).toString("base64");
    return;
  }
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(picture.file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = bytes.length - (bytes.length % 3);
    yield bytes.subarray(0, whole).toString("base64");
    rest = bytes.subarray(whole);
  }
  yield rest.toString("base64");
}
