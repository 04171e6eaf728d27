import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Request } from "express";
import { readJson } from "../json-text.ts";
import type { BodyBudget } from "./body-budget.ts";
import { giveWay } from "./give-way.ts";
import { HttpRefusal } from "./http-refusal.ts";

/** What a caller is told to wait whose body had to make room, in milliseconds. */
const CROWDED_RETRY_MS = 2_000;
/** A compressed body may grow to so many times of what was sent, once it is over this many bytes. Pictures in JSON hardly shrink, graphs to a
 *  twentieth; zeros to a thousandth, and whoever sends them would have a server read for a second what took them a millisecond. */
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

/** Reads a request's body whole, inflated, and lets nodes and the store go first. Refused beyond the budget's limit as soon as that is seen. */
export function readBody(request: Request, budget: BodyBudget): Promise<Buffer> {
  const bytesMax = budget.bodyBytesMax;
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > bytesMax) return Promise.reject(bodyTooLarge(bytesMax));
  // Whose token took a while to be verified may have left.
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
    // Until its turn comes the body counts to the budget, and can be refused.
    const onEnd = (): void => giveWay(whole);
    // Also what has come whole is only half read then, where it is being inflated.
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
        // Whatever a broken stream still has to say is said to nobody.
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
  // A request whose answer is out does not hear of its socket's end itself.
  socket.once("close", done);
  request.resume();
}
