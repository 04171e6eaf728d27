import type { ArtifactStore } from "../../../src/artifacts/artifact-store.ts";

/** Keys below a folder, as they are listed. */
export async function keysOf(store: Pick<ArtifactStore, "list">, folder: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(folder)) keys.push(key);
  return keys;
}
