import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineHttpError } from "./engine-http-error.ts";
import { pictureType } from "./picture-type.ts";

/** A picture of an answer: decoded into a file, or named by a URL. */
export type JsonPicture =
  | {
      readonly type: "file";
      readonly file: string;
      readonly bytes: number;
      /** By its first bytes; null for what is no picture. */
      readonly mime: string | null;
      /** False where something in it was no base64, and was left out. */
      readonly isBase64: boolean;
      readonly path: readonly string[];
    }
  | { readonly type: "url"; readonly url: string; readonly path: readonly string[] };

interface JsonPictureReaderOptions {
  /** Whether the string at this path is a picture. A path consists of the keys that lead to it; `*` stands for an index of a list. */
  readonly isPicture: (path: readonly string[]) => boolean;
  /** Longest JSON without its pictures, in bytes. */
  readonly textBytesMax: number;
}

const URL_BYTES_MAX = 8 * 1024;
const PICTURES_MAX = 1_000;
const KEY_BYTES_MAX = 4_096;
const DEPTH_MAX = 1_000;

const [QUOTE, BACKSLASH, SLASH, COLON, COMMA] = [0x22, 0x5c, 0x2f, 0x3a, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Reads a stream of JSON and takes the pictures out of it: base64 strings, with or without the prefix of a data URL, are decoded into files; URLs are
 *  kept as they are. Each is replaced by an empty string, so that the rest is small enough to be parsed. */
export class JsonPictureReader {
  readonly #folder: string;
  readonly #options: JsonPictureReaderOptions;
  readonly #text: Buffer[] = [];
  #textBytes = 0;
  readonly #pictures: JsonPicture[] = [];
  /** The lists and objects being read, each with its current key. */
  readonly #open: { readonly isList: boolean; key: string }[] = [];
  #state: "outside" | "key" | "text" | "picture" = "outside";
  #expectsKey = false;
  #escaped = false;
  #key: number[] = [];
  #sink: PictureSink | null = null;

  constructor(folder: string, options: JsonPictureReaderOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async write(chunk: Buffer): Promise<void> {
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "picture") {
        this.#keep(chunk.subarray(from, at));
        at = await this.#readPicture(chunk, at);
        from = at;
        // The closing quote stays in the text: the picture is an empty one there.
        if (this.#state === "picture") continue;
        at += 1;
      } else {
        this.#step(chunk[at] ?? 0);
        at += 1;
      }
    }
    this.#keep(chunk.subarray(from, at));
  }

  async end(): Promise<{ readonly text: string; readonly pictures: readonly JsonPicture[] }> {
    if (this.#sink !== null) throw wrong("it ends inside a picture");
    return { text: Buffer.concat(this.#text).toString("utf8"), pictures: this.#pictures };
  }

  /** Removes what was written. */
  async discard(): Promise<void> {
    await this.#sink?.discard();
    for (const picture of this.#pictures) if (picture.type === "file") await rm(picture.file, { force: true });
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#textBytes += bytes.length;
    if (this.#textBytes > this.#options.textBytesMax)
      throw wrong(`it is longer than ${this.#options.textBytesMax} bytes beside its pictures`);
    // A copy: what is left of a large chunk must not hold all of it.
    this.#text.push(Buffer.from(bytes));
  }

  #step(byte: number): void {
    if (this.#state === "key" || this.#state === "text") {
      this.#stepText(byte);
      return;
    }
    switch (byte) {
      case QUOTE:
        this.#key = [];
        if (this.#expectsKey) this.#state = "key";
        else this.#state = this.#options.isPicture(this.#path()) ? "picture" : "text";
        break;
      case COLON:
        this.#expectsKey = false;
        break;
      case COMMA:
        this.#expectsKey = this.#open.at(-1)?.isList === false;
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (this.#open.length >= DEPTH_MAX) throw wrong(`it is nested more than ${DEPTH_MAX} deep`);
        this.#open.push({ isList: byte === OPEN_LIST, key: "*" });
        this.#expectsKey = byte === OPEN_OBJECT;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        this.#open.pop();
        this.#expectsKey = false;
        break;
    }
  }

  #stepText(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      const place = this.#open.at(-1);
      if (this.#state === "key" && place !== undefined) place.key = keyOf(this.#key);
      this.#state = "outside";
      return;
    }
    if (this.#state === "key" && this.#key.length < KEY_BYTES_MAX) this.#key.push(byte);
  }

  #path(): readonly string[] {
    return this.#open.map(({ key }) => key);
  }

  /** Reads the part of a picture that begins at `at`. Returns the position after it. */
  async #readPicture(chunk: Buffer, at: number): Promise<number> {
    if (this.#pictures.length >= PICTURES_MAX) throw wrong(`it holds more than ${PICTURES_MAX} pictures`);
    this.#sink ??= await PictureSink.open(this.#folder);
    if (this.#escaped) {
      // A slash may come escaped; no other escape has a place in base64.
      if (chunk[at] !== SLASH) throw wrong("a picture of it is no base64");
      this.#escaped = false;
    }
    const quote = chunk.indexOf(QUOTE, at);
    const end = quote < 0 ? chunk.length : quote;
    const backslash = chunk.subarray(at, end).indexOf(BACKSLASH);
    if (backslash >= 0) {
      await this.#sink.write(chunk.subarray(at, at + backslash));
      this.#escaped = true;
      return at + backslash + 1;
    }
    await this.#sink.write(chunk.subarray(at, end));
    if (quote < 0) return end;
    this.#pictures.push({ ...(await this.#sink.end()), path: this.#path() });
    this.#sink = null;
    this.#state = "outside";
    return quote;
  }
}

function keyOf(bytes: readonly number[]): string {
  try {
    return String(JSON.parse(`"${Buffer.from(bytes).toString("utf8")}"`));
  } catch {
    // No JSON: the parser of the whole will say so.
    return "";
  }
}

type PictureBody =
  | {
      readonly type: "file";
      readonly file: string;
      readonly bytes: number;
      readonly mime: string | null;
      readonly isBase64: boolean;
    }
  | { readonly type: "url"; readonly url: string };

/** One picture being written to a file. */
class PictureSink {
  readonly #file: string;
  readonly #handle: FileHandle;
  /** Base64 that does not make whole bytes yet; at the start also the prefix. */
  #rest = "";
  #begun = false;
  #url: string | null = null;
  #bytes = 0;
  #mime: string | null = null;
  #isBase64 = true;

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  static async open(folder: string): Promise<PictureSink> {
    await mkdir(folder, { recursive: true });
    const file = join(folder, randomUUID());
    return new PictureSink(file, await open(file, "wx"));
  }

  async write(base64: Buffer): Promise<void> {
    if (base64.length === 0) return;
    this.#rest += base64.toString("latin1").replace(/\s+/g, "");
    if (this.#url !== null) {
      this.#growUrl();
      return;
    }
    if (!this.#begun && !this.#begin(false)) return;
    await this.#decode(this.#rest.length - (this.#rest.length % 4));
  }

  async end(): Promise<PictureBody> {
    if (!this.#begun && this.#url === null) this.#begin(true);
    if (this.#url !== null) {
      const url = this.#url;
      await this.discard();
      return { type: "url", url };
    }
    await this.#decode(this.#rest.length);
    await this.#handle.close();
    return { type: "file", file: this.#file, bytes: this.#bytes, mime: this.#mime, isBase64: this.#isBase64 };
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#file, { force: true });
  }

  /** Decides whether it is base64, a data URL or a URL, once enough has come. */
  #begin(whole: boolean): boolean {
    if (!whole && this.#rest.length < 128) return false;
    if (/^https?:\/\//.test(this.#rest)) {
      this.#url = "";
      this.#growUrl();
      return true;
    }
    this.#rest = this.#rest.replace(/^data:[^,]{0,100},/, "");
    this.#begun = true;
    return true;
  }

  #growUrl(): void {
    this.#url += this.#rest;
    this.#rest = "";
    if ((this.#url ?? "").length > URL_BYTES_MAX) throw wrong("a URL in it is too long");
  }

  async #decode(length: number): Promise<void> {
    let end = length;
    // By hand: an expression would look for the end of each run of them anew.
    while (this.#rest[end - 1] === "=") end -= 1;
    const text = this.#rest.slice(0, end);
    const bytes = Buffer.from(text, "base64");
    // What is no base64 is passed over by the decoder, and missing then.
    if (bytes.length !== Math.floor((text.length * 3) / 4)) this.#isBase64 = false;
    this.#rest = this.#rest.slice(length);
    if (bytes.length === 0) return;
    if (this.#bytes === 0) this.#mime = pictureType(bytes);
    this.#bytes += bytes.length;
    await this.#handle.appendFile(bytes);
  }
}

function wrong(why: string): EngineHttpError {
  return new EngineHttpError(`What came can't be used: ${why}.`, "wrong");
}
