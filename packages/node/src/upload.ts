import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";

/** What came of an upload. `refused`: the server wants nothing of this attempt any more. `failed`: try again later. */
export type UploadOutcome = "uploaded" | "refused" | "failed";

const TRIES = 4;
/** For the answer, and between two pieces of the body. */
const STALL_MS = 30_000;

/** Puts a file to a signed URL. Answers of 4xx are final but for 408, 425 and 429; everything else is tried again a few times. */
export async function upload(path: string, url: string, mime: string, signal: AbortSignal): Promise<UploadOutcome> {
  const { size } = await stat(path);
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const status = await put(path, size, url, mime, signal).catch(() => null);
    if (signal.aborted) return "failed";
    if (status !== null && status < 300) return "uploaded";
    if (status !== null && status >= 400 && status < 500 && ![408, 425, 429].includes(status)) return "refused";
    if (attempt < TRIES) await sleep(250 * 2 ** attempt, undefined, { signal }).catch(() => {});
  }
  return "failed";
}

async function put(path: string, size: number, url: string, mime: string, signal: AbortSignal): Promise<number> {
  const answer = await request(url, {
    method: "PUT",
    body: createReadStream(path),
    headers: { "content-type": mime, "content-length": String(size) },
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
    signal,
  });
  await answer.body.dump();
  return answer.statusCode;
}
