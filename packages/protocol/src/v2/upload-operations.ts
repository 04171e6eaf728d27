import { z } from "zod";
import type { Operation } from "../openapi/operation.ts";
import { Sha256, V2Upload } from "./upload.ts";

/** Input images that travel before their task. */
export const UPLOAD_OPERATIONS = {
  createUpload: {
    id: "createUpload",
    method: "POST",
    path: "/v2/uploads",
    tag: "uploads",
    summary: "Bring an input image",
    description:
      "The body is the picture itself: PNG, JPEG, WebP, GIF or AVIF. Its id is its content's, so that the same picture needs to travel only once: look with `getUpload` first.",
    access: "user",
    counts: "creation",
    query: z.strictObject({ sha256: Sha256.optional().meta({ description: "What the bytes must come to." }) }),
    rawBody: ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "application/octet-stream"],
    answers: {
      201: { description: "It is stored.", schema: V2Upload },
      200: { description: "It was there already.", schema: V2Upload },
    },
    problems: [
      "body_too_large",
      "unsupported_media_type",
      "upload_hash_mismatch",
      "upload_not_an_image",
      "upload_quota_exceeded",
    ],
  },
  getUpload: {
    id: "getUpload",
    method: "GET",
    path: "/v2/uploads/{uploadId}",
    tag: "uploads",
    summary: "Whether an input image is here",
    access: "user",
    counts: "read",
    params: z.strictObject({ uploadId: Sha256 }),
    answers: { 200: { description: "It is.", schema: V2Upload } },
    problems: ["upload_not_found"],
  },
} as const satisfies Readonly<Record<string, Operation>>;
