import { z } from "zod";
import { AttemptId } from "../ids.ts";
import { Pipeline } from "../pipeline.ts";
import { Sha256 } from "../v2/upload.ts";
import type { Operation } from "./operation.ts";

/** Any bytes. */
export const ANY_TYPE = "*/*";

const signed = z.object({
  expires: z.string().meta({ description: "Seconds of the Unix epoch." }),
  signature: z.string(),
});
const place = z.object({
  attemptId: AttemptId,
  n: z.string().meta({ description: "Number of the picture, from 0 to 999.", override: { type: "integer" } }),
});

/** A picture that a node is about to upload. */
export const DirectUploadBody = z
  .strictObject({ sha256: Sha256, bytes: z.int().min(0), mime: z.string().min(1).max(100) })
  .meta({ id: "DirectUpload" });

/** Where it may put it. */
export const DirectUploadTarget = z
  .object({ url: z.string(), headers: z.record(z.string(), z.string()) })
  .meta({ id: "DirectUploadTarget", description: "To be put there with these headers, as they are." });

/** Routes of pictures, for the document: who has the signed URL may. */
export const ARTIFACT_OPERATIONS = {
  downloadArtifact: {
    id: "downloadArtifact",
    method: "GET",
    path: "/artifacts/{key}",
    tag: "artifacts",
    summary: "Fetch a picture",
    description: "By the `url` of a task's artifact. Ranges and `If-None-Match` are understood.",
    access: "signed",
    counts: "read",
    params: z.object({ key: z.string().meta({ description: "With slashes in it." }) }),
    query: signed,
    answers: {
      200: { description: "The picture.", schema: z.string(), contentType: ANY_TYPE },
      206: { description: "A part of it.", schema: z.string(), contentType: ANY_TYPE },
      302: { description: "It lies elsewhere.", schema: null, headers: z.object({ location: z.string() }) },
      304: { description: "It is the one that the caller has.", schema: null },
      416: { description: "It has no such part.", schema: null },
    },
    problems: ["artifact_not_found"],
  },
  uploadArtifact: {
    id: "uploadArtifact",
    method: "PUT",
    path: "/v2/attempts/{attemptId}/artifacts/{n}",
    tag: "artifacts",
    summary: "Bring a picture of an attempt",
    description: "By the `uploadUrl` of a task frame. Nodes do this before they say that they are done.",
    access: "signed",
    counts: "creation",
    params: place,
    query: signed,
    rawBody: [ANY_TYPE],
    answers: {
      201: {
        description: "It is stored.",
        schema: z.object({ sha256: Sha256, bytes: z.int() }).meta({ id: "StoredArtifact" }),
      },
    },
    problems: ["artifact_not_found", "attempt_closed", "attempt_busy", "too_many_artifacts", "body_too_large"],
  },
  offerArtifact: {
    id: "offerArtifact",
    method: "POST",
    path: "/v2/attempts/{attemptId}/artifacts/{n}",
    tag: "artifacts",
    summary: "Ask where to put a picture",
    description: "Where the upload URL says `direct=1`: pictures are put straight to where they are kept.",
    access: "signed",
    counts: "creation",
    params: place,
    query: signed,
    body: { schema: DirectUploadBody },
    answers: {
      200: { description: "There.", schema: DirectUploadTarget },
      204: { description: "Bring it here.", schema: null },
    },
    problems: [
      "artifact_not_found",
      "attempt_closed",
      "attempt_busy",
      "too_many_artifacts",
      "body_too_large",
      "invalid_json",
    ],
  },
  attemptPipeline: {
    id: "attemptPipeline",
    method: "GET",
    path: "/v2/attempts/{attemptId}/pipeline",
    tag: "artifacts",
    summary: "Fetch a pipeline that is too large for a frame",
    access: "signed",
    counts: "read",
    params: z.object({ attemptId: AttemptId }),
    query: signed,
    answers: { 200: { description: "What is to be run.", schema: Pipeline } },
    problems: ["attempt_closed"],
  },
} as const satisfies Readonly<Record<string, Operation>>;
