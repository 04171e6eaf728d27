import { join } from "node:path";
import { type Configuration, ConfigurationError } from "../configuration/configuration.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { FolderArtifactStore } from "./folder-artifact-store.ts";

/** The configured store: a folder in GENAI_HOME, or a bucket. Rejects with a sentence for people: {@link ConfigurationError} or
 *  `ArtifactStoreRefused`. */
export async function openArtifactStore(
  configuration: Pick<
    Configuration,
    "ARTIFACT_STORE" | "GENAI_HOME" | "S3_ENDPOINT" | "S3_REGION" | "S3_PATH_STYLE" | "S3_PRESIGN"
  >,
): Promise<ArtifactStore> {
  const location = configuration.ARTIFACT_STORE;
  if (location === null) return await FolderArtifactStore.open(join(configuration.GENAI_HOME, "artifacts"));
  const bucket = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9/_.-]*))?$/.exec(location);
  if (bucket === null) {
    throw new ConfigurationError(
      `ARTIFACT_STORE is ${JSON.stringify(location)}, but it must be like s3://bucket or s3://bucket/prefix.`,
    );
  }
  // The SDK takes half a second to load; whoever keeps pictures in a folder does not wait for it.
  const { S3ArtifactStore } = await import("./s3-artifact-store.ts");
  return await S3ArtifactStore.open({
    bucket: bucket[1] ?? "",
    prefix: (bucket[2] ?? "").replace(/^\/+|\/+$/g, ""),
    region: configuration.S3_REGION,
    endpoint: configuration.S3_ENDPOINT,
    pathStyle: configuration.S3_PATH_STYLE,
    presign: configuration.S3_PRESIGN,
  });
}
