import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderArtifactStore } from "../../src/artifacts/folder-artifact-store.ts";
import { artifactStoreContract } from "./support/artifact-store-contract.ts";

artifactStoreContract("a folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-artifacts-"));
  return {
    store: await FolderArtifactStore.open(folder),
    reopen: () => FolderArtifactStore.open(folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
});
