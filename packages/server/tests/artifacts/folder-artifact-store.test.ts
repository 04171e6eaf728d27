import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { ArtifactStoreRefused } from "../../src/artifacts/artifact-store.ts";
import { FolderArtifactStore } from "../../src/artifacts/folder-artifact-store.ts";
import { artifactStoreContract } from "./support/artifact-store-contract.ts";

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "genai-artifacts-"));
  const store = await FolderArtifactStore.open(folder);
  return {
    folder,
    store,
    put: (key: string) => store.put(key, Readable.from(["bytes"]), { bytesMax: 10 }),
    reopen: () => FolderArtifactStore.open(folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

artifactStoreContract("a folder", setup);

test("the folder of an attempt goes with its last picture", async () => {
  await using bundle = await setup();
  const attempts = () => readdir(join(bundle.folder, "attempts"));
  for (const key of ["attempts/a/0", "attempts/a/1", "attempts/b/0"]) await bundle.put(key);
  await bundle.store.delete(["attempts/a/0", "attempts/b/0"]);
  expect(await attempts()).toEqual(["a"]);
  await bundle.store.delete(["attempts/a/1", "attempts/none/0"]);
  expect(await attempts()).toEqual([]);
});

test("a picture that comes while the folder of its attempt goes is stored", async () => {
  await using bundle = await setup();
  for (let round = 0; round < 200; round++) {
    await bundle.put("attempts/a/0");
    await Promise.all([bundle.put("attempts/a/1"), bundle.store.delete(["attempts/a/0"])]);
    expect(await bundle.store.head("attempts/a/1")).not.toBeNull();
    await bundle.store.delete(["attempts/a/1"]);
  }
});

test("a file in the place of the folder is refused with a sentence", async () => {
  await using bundle = await setup();
  const file = join(bundle.folder, "artifacts");
  await writeFile(file, "");
  const opening = FolderArtifactStore.open(file);
  await expect(opening).rejects.toBeInstanceOf(ArtifactStoreRefused);
  await expect(opening).rejects.toThrow(
    /^GENAI_HOME\/artifacts can't be used: ENOTDIR.*It must be a folder that the server may write\.$/,
  );
});
