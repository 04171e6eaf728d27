import { artifactKey } from "../artifacts/artifact-key.ts";
import { DataUrl } from "../artifacts/data-url.ts";
import { describeArtifact } from "../artifacts/describe-artifact.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";
import type { SessionDeps } from "./session-deps.ts";

/** Longest URL that a node may give for a picture, in characters. */
const URL_CHARS_MAX = 8_192;

/** A result that holds something other than pictures' URLs. */
export class UnusableResult extends Error {
  override readonly name = "UnusableResult";
}

/** Unpacks the data URLs of a legacy result into the store, one after the other; http(s) URLs stay as they are and are never fetched. */
export async function storeLegacyResult(
  { artifacts, artifactBytesMax }: Pick<SessionDeps, "artifacts" | "artifactBytesMax">,
  attemptId: string,
  resultUrls: readonly string[],
): Promise<readonly TaskArtifact[]> {
  const entries = resultUrls.map(readEntry);
  const stored: TaskArtifact[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.type === "url") {
      stored.push({ ...NOTHING_KNOWN, index, url: entry.url });
      continue;
    }
    const key = artifactKey(attemptId, index);
    const mime = "application/octet-stream";
    const { sha256, bytes } = await artifacts.put(key, entry.data.stream(), { bytesMax: artifactBytesMax, mime });
    const header = await describeArtifact(artifacts, key);
    const { width, height } = header ?? NOTHING_KNOWN;
    stored.push({ ...NOTHING_KNOWN, index, key, sha256, bytes, mime: header?.mime ?? mime, width, height });
  }
  return stored;
}

const NOTHING_KNOWN = {
  key: null,
  url: null,
  sha256: null,
  bytes: null,
  mime: null,
  width: null,
  height: null,
  seed: null,
} as const;

type Entry = { readonly type: "url"; readonly url: string } | { readonly type: "data"; readonly data: DataUrl };

function readEntry(text: string, index: number): Entry {
  const data = DataUrl.parse(text);
  if (data !== null) return { type: "data", data };
  const isUrl = text.length <= URL_CHARS_MAX && /^https?:\/\//i.test(text) && URL.canParse(text);
  if (!isUrl) throw new UnusableResult(`Entry ${index} of the result is neither an http(s) URL nor a data URL.`);
  return { type: "url", url: text };
}
