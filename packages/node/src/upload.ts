import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DirectUploadTarget } from "@genai/protocol";
import { request } from "undici";

/** What came of an upload. `refused`: the server does not take it by this URL. `failed`: try again later. `busy`: the same, and the server says
 *  so itself (503, 507). `reason` is a status, as `status 502`, or
 *  the code of what went wrong, as `ECONNREFUSED`. */
export type UploadOutcome =
  | { readonly type: "uploaded" }
  | { readonly type: "refused" | "failed" | "busy"; readonly reason: string };

const TRIES = 4;
/** For the answer, and between two pieces of the body. */
const STALL_MS = 30_000;
const STOPPED: UploadOutcome = { type: "failed", reason: "stopped" };

/** Puts a file to a signed URL of the server. Where that says `direct=1` the server is asked first, and the file goes to where it says;
 *  should that not work, the server takes it after all. Answers of 4xx are final but for 408, 425 and 429; everything else is tried again
 *  a few times. */
export async function upload(
  path: string,
  url: string,
  picture: { readonly sha256: string; readonly mime: string; readonly traceparent: string | null },
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const { size } = await stat(path);
  if (new URL(url).searchParams.has("direct")) {
    const uploaded = await putDirectly(path, size, url, picture, signal).catch(() => false);
    if (uploaded) return { type: "uploaded" };
    if (signal.aborted) return STOPPED;
  }
  const trace = picture.traceparent === null ? {} : { traceparent: picture.traceparent };
  const headers = { "content-type": picture.mime, "content-length": String(size), ...trace };
  let reason = "";
  let isBusy = false;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const status = await put(path, url, headers, signal).catch((error: unknown) => reasonOf(error));
    if (signal.aborted) return STOPPED;
    reason = typeof status === "number" ? `status ${status}` : status;
    isBusy = status === 503 || status === 507;
    if (typeof status === "number") {
      if (status < 300) return { type: "uploaded" };
      if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) return { type: "refused", reason };
    }
    if (attempt < TRIES) await sleep(250 * 2 ** attempt, undefined, { signal }).catch(() => {});
  }
  return { type: isBusy ? "busy" : "failed", reason };
}

/** Never the URL, which is a permission. */
function reasonOf(error: unknown): string {
  const { code, name } = error as { readonly code?: string; readonly name?: string };
  return code ?? name ?? "unknown";
}

async function putDirectly(
  path: string,
  bytes: number,
  url: string,
  { sha256, mime }: { readonly sha256: string; readonly mime: string },
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await request(url, {
    method: "POST",
    body: JSON.stringify({ sha256, bytes, mime }),
    headers: { "content-type": "application/json" },
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
    signal,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) return false;
  const target = DirectUploadTarget.parse(JSON.parse(text));
  return (await put(path, target.url, target.headers, signal)) < 300;
}

async function put(
  path: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const answer = await request(url, {
    method: "PUT",
    body: createReadStream(path),
    headers,
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
    signal,
  });
  await answer.body.dump();
  return answer.statusCode;
}
