import { join } from "node:path";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { FolderArtifactStore } from "../artifacts/folder-artifact-store.ts";
import { openArtifactStore } from "../artifacts/open-artifact-store.ts";
import type { Configuration } from "../configuration/configuration.ts";
import { backupStore, checkStore, migrateStore } from "../storage/index.ts";
import type { Command } from "./command-line.ts";

/** Carries out a command on the store and says in sentences what came of it. Returns the exit code.
 *  Throws `StoreRefused` where the store cannot be used. */
export async function runStoreCommand(
  command: Extract<Command, { type: "check" | "migrate" | "backup" }>,
  configuration: Configuration,
  print: (sentence: string) => void,
): Promise<number> {
  const location = { databaseUrl: configuration.DATABASE_URL, home: configuration.GENAI_HOME };
  const where = location.databaseUrl === null ? `The store in ${location.home}` : "The store in DATABASE_URL";
  switch (command.type) {
    case "check": {
      const findings = await checkStore(location, await artifactsOf(configuration));
      for (const finding of findings) print(finding);
      const counted = findings.length === 1 ? "1 finding" : `${findings.length} findings`;
      print(findings.length === 0 ? `${where} is sound.` : `${where} has ${counted}.`);
      return findings.length === 0 ? 0 : 1;
    }
    case "migrate": {
      const { from, to } = await migrateStore(location);
      if (from === to) print(`${where} has schema ${to} already; there was nothing to do.`);
      else if (from === 0) print(`${where} was made, with schema ${to}.`);
      else print(`${where} went from schema ${from} to ${to}.`);
      return 0;
    }
    case "backup":
      await backupStore(location, command.file);
      print(`${where} was copied to ${command.file}. Its pictures are not in the copy.`);
      return 0;
  }
}

/** The artifacts to look for, in a folder or a bucket. A folder that is not there is an empty one: a store that was restored without its
 *  pictures is not sound. */
async function artifactsOf(configuration: Configuration): Promise<Pick<ArtifactStore, "list">> {
  if (configuration.ARTIFACT_STORE !== null) return await openArtifactStore(configuration);
  return FolderArtifactStore.toRead(join(configuration.GENAI_HOME, "artifacts"));
}
