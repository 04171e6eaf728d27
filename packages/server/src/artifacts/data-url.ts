import { Readable } from "node:stream";

/** Characters of base64 that are decoded at once. */
const CHARS_AT_ONCE = 256 * 1_024;

/** A `data:…;base64,` URL whose bytes are decoded piece by piece, so that they never stand in memory a second time as a whole. */
export class DataUrl {
  readonly #text: string;
  readonly #start: number;

  private constructor(text: string, start: number) {
    this.#text = text;
    this.#start = start;
  }

  /** Null where the text is no data URL in base64. */
  static parse(text: string): DataUrl | null {
    // A media type of more than a few hundred characters is none.
    const head = /^data:[^,]{0,512};base64,/i.exec(text.slice(0, 540));
    return head === null ? null : new DataUrl(text, head[0].length);
  }

  stream(): Readable {
    return Readable.from(this.#pieces(), { objectMode: false });
  }

  *#pieces(): Generator<Buffer> {
    let rest = "";
    for (let at = this.#start; at < this.#text.length; at += CHARS_AT_ONCE) {
      // Some encoders break lines; a piece must be whole groups of four all the same.
      const text = rest + this.#text.slice(at, at + CHARS_AT_ONCE).replace(/\s+/g, "");
      const whole = text.length - (text.length % 4);
      rest = text.slice(whole);
      if (whole > 0) yield Buffer.from(text.slice(0, whole), "base64");
    }
    if (rest !== "") yield Buffer.from(rest, "base64");
  }
}
