import { type Request, type Response, Router } from "express";
import type { Logger } from "pino";
import type { NodeEvents } from "../coordinator/node-events.ts";
import type { TaskStore } from "../tasks/task-store.ts";
import { artifactKey } from "./artifact-key.ts";
import { type ArtifactStore, ArtifactTooLarge, isArtifactKey } from "./artifact-store.ts";
import type { ArtifactUrls } from "./artifact-urls.ts";

export interface ArtifactRoutesOptions {
  readonly artifacts: ArtifactStore;
  readonly urls: ArtifactUrls;
  readonly events: Pick<NodeEvents, "mayUpload">;
  readonly store: Pick<TaskStore, "attempt" | "pipelineOf">;
  /** Largest upload, in bytes. */
  readonly bytesMax: number;
  readonly logger: Logger;
}

/** Pictures of one attempt are numbered below this. */
const ARTIFACTS_MAX = 1_000;
/** An upload that sends nothing for this long is given up. */
const UPLOAD_STALL_MS = 30_000;

/** Signed uploads by nodes, signed downloads by clients. Each URL is its own permission; no other is asked for. */
export function artifactRoutes(options: ArtifactRoutesOptions): Router {
  const router = Router();
  router.put("/v2/attempts/:attemptId/artifacts/:n", (request, response) => upload(options, request, response));
  router.get("/v2/attempts/:attemptId/pipeline", (request, response) => sendPipeline(options, request, response));
  router.get("/artifacts/*key", (request, response) => download(options, request, response));
  return router;
}

async function upload(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const attemptId = String(request.params.attemptId);
  const n = Number(request.params.n);
  if (!permitted(options.urls, "upload", attemptId, request, response)) return;
  if (!Number.isInteger(n) || n < 0 || n >= ARTIFACTS_MAX) {
    return refuse(response, 404, "no_such_artifact", `Pictures are numbered from 0 to ${ARTIFACTS_MAX - 1}.`);
  }
  if (!(await options.events.mayUpload(null, attemptId))) {
    return refuse(
      response,
      409,
      "attempt_closed",
      `Attempt ${attemptId} is not open: nothing is uploaded for it any more.`,
    );
  }
  if (Number(request.headers["content-length"] ?? 0) > options.bytesMax) {
    return refuse(response, 413, "artifact_too_large", `A picture may have ${options.bytesMax} bytes.`);
  }
  request.setTimeout(UPLOAD_STALL_MS, () => request.destroy(new Error("the upload stalled")));
  try {
    const { sha256, bytes } = await options.artifacts.put(artifactKey(attemptId, n), request, {
      bytesMax: options.bytesMax,
      mime: request.headers["content-type"] ?? "application/octet-stream",
    });
    response.status(201).json({ sha256, bytes });
  } catch (error) {
    if (error instanceof ArtifactTooLarge) return refuse(response, 413, "artifact_too_large", error.message);
    if (request.destroyed && !request.complete) return;
    options.logger.error({ err: error, attemptId }, "an upload could not be stored");
    response.setHeader("retry-after", "2");
    refuse(response, 503, "storage_unavailable", "The picture could not be stored; try again.");
  }
}

async function sendPipeline(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const attemptId = String(request.params.attemptId);
  if (!permitted(options.urls, "pipeline", attemptId, request, response)) return;
  const attempt = await options.store.attempt(attemptId);
  const pipeline = attempt?.open ? await options.store.pipelineOf(attempt.taskId) : null;
  if (pipeline === null) return refuse(response, 404, "attempt_closed", `Attempt ${attemptId} is not open.`);
  response.setHeader("cache-control", "no-store");
  response.json(pipeline);
}

async function download(options: ArtifactRoutesOptions, request: Request, response: Response): Promise<void> {
  const path = request.params.key as unknown as readonly string[];
  const key = path.join("/");
  if (!permitted(options.urls, "download", key, request, response)) return;
  const head = isArtifactKey(key) ? await options.artifacts.head(key) : null;
  if (head === null) return refuse(response, 404, "artifact_gone", "The picture is not kept any more.");
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
  if (body === null) return refuse(response, 404, "artifact_gone", "The picture is not kept any more.");
  body.once("error", (error) => {
    options.logger.error({ err: error, key }, "a picture could not be read");
    response.destroy(error);
  });
  response.once("close", () => body.destroy());
  body.pipe(response);
}

function permitted(
  urls: ArtifactUrls,
  purpose: "download" | "upload" | "pipeline",
  subject: string,
  request: Request,
  response: Response,
): boolean {
  const verdict = urls.verify(purpose, subject, request.query.expires, request.query.signature);
  if (verdict === "bad") refuse(response, 403, "bad_signature", "The URL is not signed by this server.");
  if (verdict === "expired")
    refuse(response, 410, "url_expired", "The URL has expired; fetch the task again for a new one.");
  return verdict === "good";
}

/** A problem document (RFC 9457); the rest of a refused body is not read. */
function refuse(response: Response, status: number, code: string, detail: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.removeHeader("content-length");
  response.setHeader("connection", "close");
  response.status(status).type("application/problem+json").send(JSON.stringify({ status, code, detail }));
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
    return last === 0 ? "none" : { start: Math.max(0, bytes - last), end: bytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? bytes - 1 : Math.min(Number(match[2]), bytes - 1);
  if (start >= bytes) return "none";
  return end < start ? "all" : { start, end };
}
