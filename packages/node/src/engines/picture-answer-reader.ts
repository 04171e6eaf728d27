import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineHttpError } from "./engine-http-error.ts";
import { pictureType } from "./picture-type.ts";

/** A picture of an answer: decoded into a file, or named by a URL. */
export type AnswerPicture =
  | {
      readonly type: "file";
      readonly file: string;
      readonly bytes: number;
      /** By its first bytes; null for what is no picture. */
      readonly mime: string | null;
    }
  | { readonly type: "url"; readonly url: string };

/** Longest answer beside its pictures, in bytes. */
const TEXT_BYTES_MAX = 8 * 1024 * 1024;
const URL_BYTES_MAX = 8 * 1024;
const PICTURES_MAX = 1_000;

const [QUOTE, BACKSLASH, SLASH, COLON] = [0x22, 0x5c, 0x2f, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Reads JSON as it comes and takes the texts of the list `images` of its outermost object out of it: base64, with or without the prefix of
 *  a data URL, into files; URLs as they are. What is left is small enough to be parsed. */
export class PictureAnswerReader {
  readonly #folder: string;
  readonly #text: Buffer[] = [];
  #textBytes = 0;
  readonly #pictures: AnswerPicture[] = [];
  #depth = 0;
  #state: "outside" | "text" | "picture" = "outside";
  #escaped = false;
  /** The text that is being read at depth 1, and the last whole one: a key, where a colon follows. */
  #word: number[] = [];
  #key = "";
  #inImages = false;
  #sink: PictureSink | null = null;

  constructor(folder: string) {
    this.#folder = folder;
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
        if (this.#state !== "picture") at += 1;
      } else {
        this.#step(chunk[at] ?? 0);
        at += 1;
      }
    }
    this.#keep(chunk.subarray(from, at));
  }

  async end(): Promise<{ readonly text: string; readonly pictures: readonly AnswerPicture[] }> {
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
    if (this.#textBytes > TEXT_BYTES_MAX) throw wrong(`it is longer than ${TEXT_BYTES_MAX} bytes beside its pictures`);
    // A copy: what is left of a large chunk must not hold all of it.
    this.#text.push(Buffer.from(bytes));
  }

  #step(byte: number): void {
    if (this.#state === "text") {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#state = "outside";
        return;
      }
      if (this.#depth === 1 && this.#word.length < 64) this.#word.push(byte);
      return;
    }
    switch (byte) {
      case QUOTE:
        this.#word = [];
        this.#state = this.#inImages && this.#depth === 2 ? "picture" : "text";
        break;
      case COLON:
        if (this.#depth === 1) this.#key = String.fromCharCode(...this.#word);
        break;
      case OPEN_LIST:
        if (this.#depth === 1) this.#inImages = this.#key === "images";
        this.#depth += 1;
        break;
      case OPEN_OBJECT:
        if (this.#depth === 1) this.#inImages = false;
        this.#depth += 1;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        this.#depth -= 1;
        break;
    }
  }

  /** Takes what belongs to the picture that begins or goes on at `at`, and gives the place after it. */
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
    this.#pictures.push(await this.#sink.end());
    this.#sink = null;
    this.#state = "outside";
    return quote;
  }
}

/** One picture on its way into a file. */
class PictureSink {
  readonly #file: string;
  readonly #handle: FileHandle;
  /** Base64 that does not make whole bytes yet; at the start also the prefix. */
  #rest = "";
  #begun = false;
  #url: string | null = null;
  #bytes = 0;
  #mime: string | null = null;

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
    this.#rest += base64.toString("latin1");
    if (this.#url !== null) {
      this.#growUrl();
      return;
    }
    if (!this.#begun && !this.#begin(false)) return;
    await this.#decode(this.#rest.length - (this.#rest.length % 4));
  }

  async end(): Promise<AnswerPicture> {
    if (!this.#begun && this.#url === null) this.#begin(true);
    if (this.#url !== null) {
      const url = this.#url;
      await this.discard();
      return { type: "url", url };
    }
    await this.#decode(this.#rest.length);
    await this.#handle.close();
    return { type: "file", file: this.#file, bytes: this.#bytes, mime: this.#mime };
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
    const bytes = Buffer.from(this.#rest.slice(0, length), "base64");
    this.#rest = this.#rest.slice(length);
    if (bytes.length === 0) return;
    if (this.#bytes === 0) this.#mime = pictureType(bytes);
    this.#bytes += bytes.length;
    await this.#handle.write(bytes);
  }
}

function wrong(why: string): EngineHttpError {
  return new EngineHttpError(`The engine's answer can't be used: ${why}.`, "wrong");
}
