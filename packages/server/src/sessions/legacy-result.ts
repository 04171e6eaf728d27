import { hasUsableSize } from "@genai/protocol/pictures";
import { artifactKey } from "../artifacts/artifact-key.ts";
import { type ArtifactStore, ArtifactTooLarge, type StoredArtifact } from "../artifacts/artifact-store.ts";
import type { AttemptUploads } from "../artifacts/attempt-uploads.ts";
import { DataUrl } from "../artifacts/data-url.ts";
import { describeArtifact } from "../artifacts/describe-artifact.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";
import type { SessionDeps } from "./session-deps.ts";

/** Longest URL that a node may give for a picture, in characters. */
const URL_CHARS_MAX = 8_192;

/** A result that holds something other than pictures' URLs, or too much. */
export class UnusableResult extends Error {
  override readonly name = "UnusableResult";
  readonly code: "result_unusable" | "too_many_artifacts" | "result_too_large";

  constructor(message: string, code: UnusableResult["code"] = "result_unusable") {
    super(message);
    this.code = code;
  }
}

/** Unpacks the data URLs of a legacy result into the store, one after the other; http(s) URLs stay as they are and are never fetched.
 *  Throws {@link UnusableResult} where they are none, or more than `uploads` allows; what was stored by then goes with the attempt. */
export async function storeLegacyResult(
  { artifacts, artifactBytesMax }: Pick<SessionDeps, "artifacts" | "artifactBytesMax">,
  attemptId: string,
  resultUrls: readonly string[],
  uploads: AttemptUploads,
): Promise<readonly TaskArtifact[]> {
  const { picturesMax, bytesMax } = uploads;
  if (resultUrls.length > picturesMax) {
    const message = `The result has ${resultUrls.length} pictures, ${picturesMax} are allowed.`;
    throw new UnusableResult(message, "too_many_artifacts");
  }
  const entries = resultUrls.map(readEntry);
  const stored: TaskArtifact[] = [];
  let bytesLeft = bytesMax;
  for (const [index, entry] of entries.entries()) {
    if (entry.type === "url") {
      stored.push(urlArtifact(index, entry.url));
      continue;
    }
    const key = artifactKey(attemptId, index);
    const picture = await storePicture(artifacts, key, entry.data, Math.min(artifactBytesMax, bytesLeft));
    uploads.offer(key, picture.bytes);
    bytesLeft -= picture.bytes;
    stored.push({ index, url: null, seed: null, ...picture });
  }
  return stored;
}

async function storePicture(
  artifacts: ArtifactStore,
  key: string,
  data: DataUrl,
  bytesMax: number,
): Promise<Pick<TaskArtifact, "mime" | "width" | "height"> & StoredArtifact> {
  const mime = "application/octet-stream";
  try {
    const kept = await artifacts.put(key, data.stream(), { bytesMax, mime });
    const header = await describeArtifact(artifacts, key);
    // What claims more pixels than anybody can open is shown to nobody as a picture.
    if (header === null || !hasUsableSize(header)) return { ...kept, mime, width: null, height: null };
    return { ...kept, ...header };
  } catch (error) {
    if (!(error instanceof ArtifactTooLarge)) throw error;
    throw new UnusableResult(`A picture of the result has over ${bytesMax} bytes.`, "result_too_large");
  }
}

/** A picture that stays where its node put it: nothing is known of it but its URL. */
function urlArtifact(index: number, url: string): TaskArtifact {
  return { index, key: null, url, sha256: null, bytes: null, mime: null, width: null, height: null, seed: null };
}

type Entry = { readonly type: "url"; readonly url: string } | { readonly type: "data"; readonly data: DataUrl };

function readEntry(text: string, index: number): Entry {
  const data = DataUrl.parse(text);
  if (data !== null) return { type: "data", data };
  const isUrl = text.length <= URL_CHARS_MAX && /^https?:\/\//i.test(text) && URL.canParse(text);
  if (!isUrl) throw new UnusableResult(`Entry ${index} of the result is neither an http(s) URL nor a data URL.`);
  return { type: "url", url: text };
}
