import { Pipeline } from "@genai/protocol";
import { request } from "undici";
import { dropBody } from "./engines/drop-body.ts";
import type { InputFiles } from "./engines/engine.ts";
import { type JsonPicture, JsonPictureReader } from "./engines/json-picture-reader.ts";
import { TaskRefused } from "./engines/task-refused.ts";

/** Largest pipeline that is fetched, in bytes. */
const PIPELINE_BYTES_MAX = 128 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** Fetches a pipeline that was too long for its frame. Its input pictures go to files in `folder` as they come. Rejects with
 *  {@link TaskRefused} where one of them is no base64, and with a sentence where the server does not give what it should. */
export async function fetchPipeline(
  url: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly pipeline: Pipeline; readonly inputs: InputFiles }> {
  const answer = await request(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    headersTimeout: TIMEOUT_MS,
  });
  if (answer.statusCode !== 200) {
    dropBody(answer.body);
    throw new Error(`The server answered ${answer.statusCode} when the pipeline was fetched.`);
  }
  const reader = new JsonPictureReader(folder, {
    // Of v1 the pictures of a graph come as one text; that stays as it is.
    isPicture: ([first, second, ...more]) =>
      more.length === 0 && ((first === "image" && second === "base64") || (first === "images" && second !== undefined)),
    textBytesMax: PIPELINE_BYTES_MAX,
  });
  try {
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > PIPELINE_BYTES_MAX) throw new Error(`The pipeline is larger than ${PIPELINE_BYTES_MAX} bytes.`);
      await reader.write(chunk);
    }
    const { text, pictures } = await reader.end();
    return { pipeline: Pipeline.parse(JSON.parse(text)), inputs: inputsOf(pictures) };
  } catch (error) {
    dropBody(answer.body);
    await reader.discard();
    throw error;
  }
}

function inputsOf(pictures: readonly JsonPicture[]): InputFiles {
  let image: string | null = null;
  const images = new Map<string, string>();
  for (const picture of pictures) {
    const [first, name = ""] = picture.path;
    const what = first === "image" ? "The input image" : `The image ${JSON.stringify(name.slice(0, 100))}`;
    if (picture.type === "url" || !picture.isBase64 || picture.bytes === 0)
      throw new TaskRefused(`${what} is no base64.`);
    if (first === "image") image = picture.file;
    else images.set(name, picture.file);
  }
  return { image, images };
}
