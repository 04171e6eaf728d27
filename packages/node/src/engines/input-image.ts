import type { InputImage } from "@genai/protocol";
import { decodeBase64 } from "./base64.ts";
import type { InputFiles } from "./engine.ts";
import { TaskRefused } from "./task-refused.ts";

/** Fetches an input image that a task gave as a URL; rejects with a sentence. */
export type FetchInput = (url: string, signal: AbortSignal) => Promise<Buffer>;

/** An input picture: its bytes, or a file that holds them. */
export type InputPicture = Buffer | { readonly file: string };

/** The picture that a standard task starts from, or null where it starts from none. Rejects with {@link TaskRefused} where it can't be had. */
export async function readInputImage(
  image: InputImage | undefined,
  inputs: InputFiles | undefined,
  fetchInput: FetchInput,
  signal: AbortSignal,
): Promise<InputPicture | null> {
  if (image === undefined) return null;
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
