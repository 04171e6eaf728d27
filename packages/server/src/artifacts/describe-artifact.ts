import { IMAGE_HEADER_BYTES, type ImageHeader, readImageHeader } from "@genai/protocol/pictures";
import type { ArtifactStore } from "./artifact-store.ts";

/** What a stored picture is by its own first bytes, or null where it is none, or is not there. */
export async function describeArtifact(store: ArtifactStore, key: string): Promise<ImageHeader | null> {
  const body = await store.get(key, { start: 0, end: IMAGE_HEADER_BYTES - 1 });
  if (body === null) return null;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return readImageHeader(Buffer.concat(chunks));
}
