import type { InputImage } from "@genai/protocol";
import { decodeBase64 } from "./base64.ts";
import { TaskRefused } from "./task-refused.ts";

/** Fetches an input image that a task gave as a URL; rejects with a sentence. */
export type FetchInput = (url: string, signal: AbortSignal) => Promise<Buffer>;

/** Bytes of the image that a task starts from. Rejects with {@link TaskRefused} where they can't be had. */
export async function readInputImage(image: InputImage, fetchInput: FetchInput, signal: AbortSignal): Promise<Buffer> {
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
