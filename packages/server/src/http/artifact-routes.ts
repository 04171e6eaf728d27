import { pipeline, Transform } from "node:stream";
import { DirectUploadBody } from "@genai/protocol";
import { type Request, type Response, Router } from "express";
import { artifactKey, directArtifactKey } from "../artifacts/artifact-key.ts";
import { type ArtifactStore, ArtifactTooLarge, isArtifactKey } from "../artifacts/artifact-store.ts";
import type { ArtifactUrls } from "../artifacts/artifact-urls.ts";
import { type AttemptUploads, type UploadRefusal, UploadRefused } from "../artifacts/attempt-uploads.ts";
import type { NodeEvents } from "../coordinator/node-events.ts";
import type { TaskStore } from "../tasks/task-store.ts";
import { BodyBudget } from "./body-budget.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { STORE_RETRY_MS } from "./refusal-of.ts";
import { readJsonBody } from "./request-body.ts";

export interface ArtifactRoutesOptions {
  readonly artifacts: ArtifactStore;
  readonly urls: ArtifactUrls;
  readonly events: Pick<NodeEvents, "uploadsOf">;
  readonly store: Pick<TaskStore, "attempt" | "pipelineOf">;
  /** Largest upload, in bytes. */
  readonly bytesMax: number;
  /** An upload that sends nothing, and a download that takes nothing, for so long is given up. Milliseconds; default 30,000. */
  readonly stallMs?: number;
}

interface RouteContext extends ArtifactRoutesOptions {
  /** For what nodes ask about uploads. */
  readonly questions: BodyBudget;
}

const STALL_MS = 30_000;
/** How long the URL is good by which a node uploads straight to S3, in milliseconds. */
export const DIRECT_UPLOAD_MS = 15 * 60_000;
/** How long the URL is good by which a client downloads from there, in milliseconds. */
const REDIRECT_MS = 3_600_000;
/** Longest question about an upload, in bytes. */
const QUESTION_BYTES_MAX = 4_096;

/** Signed uploads by nodes, signed downloads by clients. Each URL is its own permission; no other is asked for. */
export function artifactRoutes(given: ArtifactRoutesOptions): Router {
  const options: RouteContext = { ...given, questions: new BodyBudget(QUESTION_BYTES_MAX) };
  const router = Router();
  const artifact = router.route("/v2/attempts/:attemptId/artifacts/:n");
  artifact.put((request, response) => upload(options, request, response));
  artifact.post((request, response) => offerDirect(options, request, response));
  router.get("/v2/attempts/:attemptId/pipeline", (request, response) => sendPipeline(options, request, response));
  router.get("/artifacts/*key", (request, response) => download(options, request, response));
  return router;
}

async function upload(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const place = uploadPlace(options, request);
  const { attemptId, n, uploads } = place;
  const { bytesMax } = options;
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  request.setTimeout(options.stallMs ?? STALL_MS, () => request.destroy(new Error("the upload stalled")));
  // Where it is stopped before its end nothing of it is stored: a picture appears only when it is whole.
  const counted = new Transform({
    transform: (chunk: Buffer, _encoding, done) =>
      coming.grow(chunk.length) ? done(null, chunk) : done(new UploadRefused("too_large")),
  });
  // It may be stopped before anybody reads from it.
  counted.on("error", () => {});
  const coming = uploads.begin(artifactKey(attemptId, n), (why) => counted.destroy(why));
  let isStored = false;
  try {
    request.once("error", (error) => counted.destroy(error));
    request.once("aborted", () => counted.destroy(new Error("the upload broke off")));
    const { sha256, bytes } = await options.artifacts.put(coming.key, request.pipe(counted), {
      bytesMax,
      mime: request.headers["content-type"] ?? "application/octet-stream",
    });
    isStored = true;
    response.status(201).json({ sha256, bytes });
  } catch (error) {
    if (error instanceof ArtifactTooLarge) throw tooLarge(bytesMax);
    if (error instanceof UploadRefused) throw refused(error.refusal, place);
    if (request.destroyed && !request.complete) return;
    throw new HttpRefusal("unavailable", {
      detail: "the picture could not be stored; try again",
      retryAfterMs: STORE_RETRY_MS,
      cause: error,
    });
  } finally {
    coming.end(isStored);
  }
}

/** Where the node may put the picture by itself. */
async function offerDirect(options: RouteContext, request: Request, response: Response): Promise<void> {
  const { attemptId, n } = uploadPlace(options, request);
  const asked = DirectUploadBody.safeParse(await readJsonBody(request, options.questions));
  if (!asked.success) throw new HttpRefusal("invalid_request", { detail: "sha256, bytes and mime are needed" });
  if (asked.data.bytes > options.bytesMax) throw tooLarge(options.bytesMax);
  // Its attempt may have ended while the question was read.
  const place = uploadPlace(options, request);
  const key = directArtifactKey(attemptId, n, asked.data.sha256);
  const target = await options.artifacts.uploadTo(key, asked.data, { expiresInMs: DIRECT_UPLOAD_MS });
  const refusal = target === null ? null : place.uploads.offer(key, asked.data.bytes);
  if (refusal !== null) throw refused(refusal, place);
  if (target === null) response.status(204).end();
  else response.set("cache-control", "no-store").json(target);
}

/** Which picture of which attempt is meant. */
interface UploadPlace {
  readonly attemptId: string;
  readonly n: number;
  readonly uploads: AttemptUploads;
}

/** The place of an upload that is taken now; throws where none is. */
function uploadPlace({ urls, events }: ArtifactRoutesOptions, request: Request): UploadPlace {
  const attemptId = String(request.params.attemptId);
  const number = String(request.params.n);
  mustBeSigned(urls, "upload", attemptId, request);
  // One way to write each number.
  if (!/^(?:0|[1-9]\d{0,5})$/.test(number)) {
    throw new HttpRefusal("artifact_not_found", { detail: "pictures are numbered 0, 1, 2 …" });
  }
  const uploads = events.uploadsOf(null, attemptId);
  if (uploads === null) throw closed(attemptId);
  const place = { attemptId, n: Number(number), uploads };
  const refusal = uploads.refusal(place.n);
  if (refusal !== null) throw refused(refusal, place);
  return place;
}

function refused(refusal: UploadRefusal, { attemptId, uploads }: UploadPlace): HttpRefusal {
  switch (refusal) {
    case "closed":
      return closed(attemptId);
    case "busy":
      return new HttpRefusal("attempt_busy", { detail: `the result of attempt ${attemptId} is being looked at` });
    case "too_many":
      return new HttpRefusal("too_many_artifacts", {
        detail: `attempt ${attemptId} may bring ${uploads.picturesMax} pictures, numbered from 0`,
      });
    case "too_large":
      return new HttpRefusal("body_too_large", {
        detail: `the pictures of an attempt may have ${uploads.bytesMax} bytes together`,
      });
  }
}

async function sendPipeline(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const attemptId = String(request.params.attemptId);
  mustBeSigned(options.urls, "pipeline", attemptId, request);
  const attempt = await options.store.attempt(attemptId);
  const pipeline = attempt?.open ? await options.store.pipelineOf(attempt.taskId) : null;
  if (pipeline === null) throw closed(attemptId);
  response.setHeader("cache-control", "no-store");
  response.json(pipeline);
}

async function download(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const path = request.params.key as unknown as readonly string[];
  const key = path.join("/");
  mustBeSigned(options.urls, "download", key, request);
  const head = isArtifactKey(key) ? await options.artifacts.head(key) : null;
  if (head === null) throw new HttpRefusal("artifact_not_found");
  const elsewhere =
    request.method === "HEAD"
      ? null
      : await options.artifacts.redirectUrl(key, { mime: head.mime, expiresInMs: REDIRECT_MS });
  if (elsewhere !== null) {
    response.status(302).set({ location: elsewhere, "cache-control": "private, max-age=60" }).end();
    return;
  }
  const tag = `"${head.sha256}"`;
  response.set({
    "content-type": head.mime,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=86400, immutable",
    "last-modified": new Date(head.modifiedAtMs).toUTCString(),
    etag: tag,
    // What is no picture is never shown in a page of ours.
    ...(head.mime.startsWith("image/") ? {} : { "content-disposition": "attachment" }),
  });
  if (matches(request.headers["if-none-match"], tag)) {
    response.status(304).end();
    return;
  }
  const fits = request.headers["if-range"] === undefined || request.headers["if-range"] === tag;
  const range = fits ? rangeOf(request.headers.range, head.bytes) : "all";
  if (range === "none") {
    response.removeHeader("content-type");
    response.status(416).set("content-range", `bytes */${head.bytes}`).end();
    return;
  }
  if (range === "all") response.setHeader("content-length", head.bytes);
  else {
    response.status(206).set("content-range", `bytes ${range.start}-${range.end}/${head.bytes}`);
    response.setHeader("content-length", range.end - range.start + 1);
  }
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const body = await options.artifacts.get(key, range === "all" ? undefined : range);
  if (body === null) {
    response.removeHeader("content-length");
    throw new HttpRefusal("artifact_not_found");
  }
  // A reader that takes nothing would keep its connection and an open file for ever.
  response.setTimeout(options.stallMs ?? STALL_MS, () => response.destroy());
  // The end of either is the other's, also of a reader who hung up before there was a body.
  pipeline(body, response, () => {});
}

function mustBeSigned(
  urls: ArtifactUrls,
  purpose: "download" | "upload" | "pipeline",
  subject: string,
  request: Request,
): void {
  const verdict = urls.verify(purpose, subject, request.query.expires, request.query.signature);
  if (verdict === "bad") throw new HttpRefusal("signature_invalid");
  if (verdict === "expired") throw new HttpRefusal("url_expired");
}

function closed(attemptId: string): HttpRefusal {
  return new HttpRefusal("attempt_closed", { detail: `attempt ${attemptId} is not open` });
}

function tooLarge(bytesMax: number): HttpRefusal {
  return new HttpRefusal("body_too_large", { detail: `a picture may have ${bytesMax} bytes` });
}

function matches(header: string | undefined, tag: string): boolean {
  return header?.split(",").some((each) => each.trim() === tag || each.trim() === "*") ?? false;
}

/** One range as in RFC 9110, 14.2; what is not understood counts as not asked. */
function rangeOf(header: string | undefined, bytes: number): { start: number; end: number } | "all" | "none" {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return "all";
  if (match[1] === "") {
    const last = Number(match[2]);
    if (last === 0) return "none";
    // No range can name the bytes of an empty file.
    return bytes === 0 ? "all" : { start: Math.max(0, bytes - last), end: bytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? bytes - 1 : Math.min(Number(match[2]), bytes - 1);
  if (start >= bytes) return "none";
  return end < start ? "all" : { start, end };
}
