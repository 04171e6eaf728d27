import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Request } from "express";
import { readJson } from "../json-text.ts";
import type { BodyBudget } from "./body-budget.ts";
import { giveWay } from "./give-way.ts";
import { HttpRefusal } from "./http-refusal.ts";

/** What a caller is told to wait whose body had to make room, in milliseconds. */
const CROWDED_RETRY_MS = 2_000;
/** How many times its compressed size a body may inflate to, once it exceeds the free bytes. Pictures in JSON hardly compress and graphs compress
 *  to a twentieth, but zeros to a thousandth: a millisecond of sending would cost the server a second of reading. */
const INFLATION_MAX = 64;
const INFLATION_FREE_BYTES = 1_048_576;
/** How long the rest of a refused body may come in before the connection is cut, in milliseconds. */
const LINGER_MS = 2_000;

/** Reads a request's body as JSON, whatever its Content-Type says. An empty body is an empty object. A body over
 *  the budget's limit, as it comes or inflated, is refused as soon as that is seen: express's own reader would read on to its end. */
export async function readJsonBody(request: Request, budget: BodyBudget): Promise<unknown> {
  const bytes = await readBody(request, budget);
  if (bytes.length === 0) return {};
  const reading = readJson(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  if (!reading.ok) throw new HttpRefusal("invalid_json", { detail: reading.message });
  return reading.value;
}

/** Reads a request's whole body, inflated, after letting nodes and the store go first ({@link giveWay}). A body over the budget's limit is refused
 *  as soon as that is known. */
export function readBody(request: Request, budget: BodyBudget): Promise<Buffer> {
  const bytesMax = budget.bodyBytesMax;
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > bytesMax) return Promise.reject(bodyTooLarge(bytesMax));
  // The caller may have left while its token was verified.
  if (request.destroyed && !request.readableEnded) return Promise.reject(cutOff());
  return new Promise((resolve, reject) => {
    const body = inflated(request);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = (refusal: HttpRefusal): void => {
      stop();
      reject(refusal);
    };
    const share = budget.enter(() =>
      refuse(
        new HttpRefusal("unavailable", {
          detail: "too many bodies are under way; send it again",
          retryAfterMs: CROWDED_RETRY_MS,
        }),
      ),
    );
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) refuse(bodyTooLarge(bytesMax));
      else if (bytes > INFLATION_FREE_BYTES && bytes > INFLATION_MAX * sentBytes(body)) {
        refuse(
          new HttpRefusal("body_too_large", { detail: `the body inflates to over ${INFLATION_MAX} times its size` }),
        );
      } else {
        chunks.push(chunk);
        share.grow(chunk.length);
      }
    };
    const whole = (): void => {
      share.leave();
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes));
    };
    // While it waits for its turn, the body counts against the budget and can still be refused.
    const onEnd = (): void => giveWay(whole);
    // A body that has arrived in full may still be in the middle of being inflated.
    const onClose = (): void => {
      if (!request.readableEnded) refuse(cutOff());
    };
    const onError = (): void => refuse(new HttpRefusal("invalid_request", { detail: "the body cannot be inflated" }));
    const stop = (): void => {
      share.leave();
      chunks.length = 0;
      body.off("data", onData).off("end", onEnd).off("error", onError);
      request.off("close", onClose);
      if (body !== request) {
        request.unpipe();
        // A broken stream may still emit errors.
        body.on("error", () => {}).destroy();
      }
      request.pause();
    };
    body.on("data", onData).on("end", onEnd).on("error", onError);
    request.on("close", onClose);
  });
}

/** What came over the wire of a body so far. */
function sentBytes(body: Body): number {
  return "bytesWritten" in body ? body.bytesWritten : Infinity;
}

/** A request itself, or what inflates it. */
type Body = Request | ReturnType<typeof createGunzip | typeof createInflate | typeof createBrotliDecompress>;

/** The body as it was before its Content-Encoding. */
function inflated(request: Request): Body {
  switch ((request.headers["content-encoding"] ?? "identity").toLowerCase()) {
    case "identity":
    case "":
      return request;
    case "gzip":
      return request.pipe(createGunzip());
    case "deflate":
      return request.pipe(createInflate());
    case "br":
      return request.pipe(createBrotliDecompress());
    default:
      throw new HttpRefusal("unsupported_media_type", { detail: "the Content-Encoding is not read here" });
  }
}

function cutOff(): HttpRefusal {
  return new HttpRefusal("invalid_request", { detail: "the body was cut off" });
}

function bodyTooLarge(bytesMax: number): HttpRefusal {
  return new HttpRefusal("body_too_large", { detail: `the body is over the limit of ${bytesMax} bytes` });
}

/** After a refusal the rest of the body may still be under way. Cutting the connection at once would often take the answer
 *  with it, so a little more is read and thrown away: at most twice the limit, for at most 2 s. Call it before answering. */
export function discardRest(request: Request, bytesMax: number): void {
  if (request.complete) return;
  let leftBytes = 2 * bytesMax;
  const cut = (): void => {
    request.destroy();
  };
  const timer = setTimeout(cut, LINGER_MS);
  request.on("data", (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) cut();
  });
  const { socket } = request;
  const done = (): void => {
    clearTimeout(timer);
    socket.off("close", done);
  };
  request.once("end", done);
  // A request that has been answered gets no event of its own when its socket closes.
  socket.once("close", done);
  request.resume();
}
