import { AttemptId, type TaskFrame } from "@genai/protocol";
import type { ArtifactUrls } from "../artifacts/artifact-urls.ts";
import type { Delivery } from "../coordinator/node-sessions.ts";

/** Signed URLs of an attempt outlive its limit by this, in milliseconds: a node brings a result back after a server's absence. */
export const URL_GRACE_MS = 24 * 3_600_000;

/** The text of a task frame of at most `bytesMax` bytes. A pipeline that does not fit is fetched by the node instead. */
export function protocol2TaskFrame(
  delivery: Delivery,
  urls: ArtifactUrls,
  options: { readonly baseUrl: string; readonly bytesMax: number },
): string {
  const attemptId = AttemptId.parse(delivery.attemptId);
  const limitMs = Math.max(1, Math.round(delivery.limitMs));
  const expiresInMs = limitMs + URL_GRACE_MS;
  const uploadUrl = options.baseUrl + urls.upload(attemptId, expiresInMs);
  const trace = delivery.traceparent == null ? {} : { traceparent: delivery.traceparent };
  const frame: TaskFrame = { type: "task", attemptId, pipeline: delivery.pipeline, limitMs, uploadUrl, ...trace };
  const text = JSON.stringify(frame);
  if (Buffer.byteLength(text) <= options.bytesMax) return text;
  const pipelineUrl = options.baseUrl + urls.pipeline(attemptId, expiresInMs);
  const short: TaskFrame = { type: "task", attemptId, pipelineUrl, limitMs, uploadUrl, ...trace };
  return JSON.stringify(short);
}
