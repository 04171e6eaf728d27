import type { Request } from "express";
import type { TaskArtifact } from "../../tasks/stored-task.ts";
import { baseUrl, publicUrlOf } from "../base-url.ts";
import type { HttpAppOptions } from "../http-options.ts";
import type { V1ImageUrl } from "./v1-view.ts";

/** Most bytes of pictures in one answer with data URLs; the pictures beyond come as ordinary URLs. */
const DATA_URL_BYTES_MAX = 64 * 1024 * 1024;

/** How this caller is shown pictures: a node's own URL as it is, else our artifact URL, or the bytes themselves as a data
 *  URL where the server is set to. One answer's worth: it keeps count of the bytes. */
export function v1Images(
  request: Request,
  { settings, artifactUrl, readArtifact }: Pick<HttpAppOptions, "settings" | "artifactUrl" | "readArtifact">,
): V1ImageUrl {
  let leftBytes = DATA_URL_BYTES_MAX;
  const kept = async (artifact: TaskArtifact): Promise<string> => {
    const url = publicUrlOf(artifactUrl(artifact), baseUrl(request, settings.publicUrl));
    if (!settings.v1DataUrls) return url;
    leftBytes -= artifact.bytes ?? 0;
    if (leftBytes < 0) return url;
    const bytes = await readArtifact(artifact);
    if (bytes === null) return url;
    const mime = artifact.mime?.startsWith("image/") ? artifact.mime : "image/png";
    return `data:${mime};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")}`;
  };
  return (artifact) => artifact.url ?? kept(artifact);
}
