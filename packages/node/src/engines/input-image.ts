import { open } from "node:fs/promises";
import type { InputImage } from "@genai/protocol";
import { hasUsableSize, PIXELS_MAX, readImageHeader } from "@genai/protocol/pictures";
import { decodeBase64 } from "./base64.ts";
import type { InputFiles } from "./engine.ts";
import { TaskRefused } from "./task-refused.ts";

/** Fetches an input image that a task gave as a URL; rejects with a sentence. */
export type FetchInput = (url: string, signal: AbortSignal) => Promise<Buffer>;

/** An input picture: its bytes, or a file that holds them. */
export type InputPicture = Buffer | { readonly file: string };

/** So much of a picture in a file is looked at; the size of a JPEG may stand behind large notes of its camera. */
const FILE_START_BYTES = 1024 * 1024;

/** The picture that a standard task starts from, or null where it starts from none. Rejects with {@link TaskRefused} where it can't be had. */
export async function readInputImage(
  image: InputImage | undefined,
  inputs: InputFiles | undefined,
  fetchInput: FetchInput,
  signal: AbortSignal,
): Promise<InputPicture | null> {
  if (image === undefined) return null;
  const picture = await pictureOf(image, inputs, fetchInput, signal);
  await mustBeOpenable(picture, "The input image");
  return picture;
}

/** Rejects with {@link TaskRefused} where a picture claims more pixels than an engine should be given: it would ask for gigabytes. `what`
 *  begins the sentence. */
export async function mustBeOpenable(picture: InputPicture, what: string): Promise<void> {
  const header = readImageHeader(Buffer.isBuffer(picture) ? picture : await startOf(picture.file));
  if (header === null || hasUsableSize(header)) return;
  throw new TaskRefused(`${what} claims ${header.width} × ${header.height} pixels; 1 to ${PIXELS_MAX} are taken.`);
}

async function startOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_START_BYTES), 0, FILE_START_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function pictureOf(
  image: InputImage,
  inputs: InputFiles | undefined,
  fetchInput: FetchInput,
  signal: AbortSignal,
): Promise<InputPicture> {
  if (inputs !== undefined && inputs.image !== null) return { file: inputs.image };
  if ("url" in image) {
    try {
      return await fetchInput(image.url, signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      throw new TaskRefused(`The input image can't be fetched: ${why}.`);
    }
  }
  const bytes = decodeBase64(image.base64);
  if (bytes === null) throw new TaskRefused("The input image is no base64.");
  return bytes;
}
