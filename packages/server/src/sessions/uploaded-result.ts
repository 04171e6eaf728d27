import type { ResultArtifact } from "@genai/protocol";
import { hasUsableSize } from "@genai/protocol/pictures";
import { artifactKey, directArtifactKey } from "../artifacts/artifact-key.ts";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { describeArtifact } from "../artifacts/describe-artifact.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";

/** Pictures that are checked concurrently. */
const AT_ONCE = 8;

export type UploadedResult =
  | { readonly type: "complete"; readonly artifacts: readonly TaskArtifact[] }
  /** Numbers of the pictures that are not there, or are not what the node says. */
  | { readonly type: "incomplete"; readonly missing: readonly number[] };

/** Compares a result with what was uploaded for its attempt. Hash, size and type of each picture must be equal, and it must have a usable number of
 *  pixels. */
export async function checkUploadedResult(
  store: ArtifactStore,
  attemptId: string,
  declared: readonly ResultArtifact[],
): Promise<UploadedResult> {
  // A result without pictures is not a success: no engine that worked produces none.
  if (declared.length === 0) return { type: "incomplete", missing: [0] };
  const found: (TaskArtifact | null)[] = [];
  for (let at = 0; at < declared.length; at += AT_ONCE) {
    const some = declared.slice(at, at + AT_ONCE);
    found.push(...(await Promise.all(some.map((each, i) => check(store, attemptId, at + i, each)))));
  }
  const artifacts = found.filter((each) => each !== null);
  if (artifacts.length === declared.length) return { type: "complete", artifacts };
  return { type: "incomplete", missing: found.flatMap((each, index) => (each === null ? [index] : [])) };
}

async function check(
  store: ArtifactStore,
  attemptId: string,
  index: number,
  declared: ResultArtifact,
): Promise<TaskArtifact | null> {
  // It was uploaded to the server, or directly to the artifact store.
  const keys = [artifactKey(attemptId, index), directArtifactKey(attemptId, index, declared.sha256)];
  for (const key of keys) {
    const found = await checkAt(store, key, index, declared);
    if (found !== null) return found;
  }
  return null;
}

async function checkAt(
  store: ArtifactStore,
  key: string,
  index: number,
  declared: ResultArtifact,
): Promise<TaskArtifact | null> {
  const head = await store.head(key);
  if (head === null || head.sha256 !== declared.sha256 || head.bytes !== declared.bytes) return null;
  const image = await describeArtifact(store, key);
  if (image === null || image.mime !== declared.mime || !hasUsableSize(image)) return null;
  return {
    index,
    key,
    url: null,
    sha256: head.sha256,
    bytes: head.bytes,
    mime: image.mime,
    width: image.width ?? declared.width ?? null,
    height: image.height ?? declared.height ?? null,
    seed: declared.seed ?? null,
  };
}
