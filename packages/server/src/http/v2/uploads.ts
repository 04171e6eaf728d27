import type { V2Operations } from "@genai/protocol";
import { PIXELS_MAX } from "@genai/protocol/pictures";
import { HttpRefusal } from "../http-refusal.ts";
import { readBody } from "../request-body.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

export function createUpload({ options }: V2Context): OperationHandler<V2Operations["createUpload"]> {
  return async ({ query, caller, request }) => {
    const bytes = await readBody(request, options.bodies);
    const outcome = await options.uploads.put(caller.userId, bytes, query.sha256 ?? null);
    switch (outcome.type) {
      case "stored":
        return { status: 201, body: outcome.upload };
      case "known":
        return { status: 200, body: outcome.upload };
      case "no_image":
        throw new HttpRefusal("upload_not_an_image");
      case "unusable_size":
        throw new HttpRefusal("upload_not_an_image", { detail: `a picture may have 1 to ${PIXELS_MAX} pixels` });
      case "no_room":
        throw new HttpRefusal("upload_quota_exceeded", {
          detail: `${outcome.usedBytes} of ${outcome.bytesMax} bytes are taken; uploads go when they were neither brought nor used for as long as pictures are kept`,
        });
      case "mismatch":
        throw new HttpRefusal("upload_hash_mismatch", { detail: `the bytes' SHA-256 is ${outcome.sha256}` });
    }
  };
}

export function getUpload({ options }: V2Context): OperationHandler<V2Operations["getUpload"]> {
  return async ({ params, caller }) => {
    const upload = await options.uploads.find(caller.userId, params.uploadId);
    if (upload === null) {
      throw new HttpRefusal("upload_not_found", { detail: `there is no upload ${params.uploadId}` });
    }
    return { status: 200, body: upload };
  };
}
