import { createHash, randomUUID } from "node:crypto";
import { access, constants, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, extname } from "node:path";
import type { V2Task } from "@genai/protocol";
import type { Client } from "@genai/protocol/client";
import type { Output } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";

/** Largest picture that is fetched. */
const ARTIFACT_BYTES_MAX = 512 * 1024 ** 2;

type Artifact = NonNullable<V2Task["result"]>["artifacts"][number];

/** Where each picture goes: the file itself for one, numbered names for several. */
export function artifactPaths(out: string, count: number): readonly string[] {
  if (count === 1) return [out];
  const extension = extname(out);
  const stem = out.slice(0, out.length - extension.length);
  return Array.from({ length: count }, (_, index) => `${stem}-${index + 1}${extension}`);
}

/** Throws `usage` where a folder has the name of a file to write, or, without `force`, a file has. */
export async function refuseExisting(paths: readonly string[], { force }: { readonly force: boolean }): Promise<void> {
  for (const path of paths) {
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory()) throw new CliError("usage", `${path} is a folder. Give --out the name of a file.`);
    if (there !== null && !force)
      throw new CliError("usage", `${path} is there already. Choose another name with --out, or give --force.`);
  }
}

/** Throws `usage` when no file can be made in the folder of `out`. */
export async function refuseClosedFolder(out: string): Promise<void> {
  const folder = dirname(out);
  try {
    // Only a folder has a dot in it.
    await access(`${folder}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(
      "usage",
      `The folder ${folder} can't be written (${code}). Make it, or choose another with --out.`,
    );
  }
}

/** Fetches every picture of a task and writes it whole or not at all. Returns the paths. `-` writes to `stdout`. */
export async function saveArtifacts(
  client: Client,
  server: string,
  artifacts: readonly Artifact[],
  out: string,
  stdout: Output,
): Promise<readonly string[]> {
  const paths = artifactPaths(out, artifacts.length);
  for (const [index, artifact] of artifacts.entries()) {
    const picture = await fetchArtifact(client, server, artifact);
    if (out === "-") stdout.write(picture);
    else await writeWhole(paths[index] ?? out, picture);
  }
  return out === "-" ? [] : paths;
}

async function fetchArtifact(client: Client, server: string, artifact: Artifact): Promise<Uint8Array> {
  const url = new URL(artifact.url, server);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new CliError(
      "failed",
      `Picture ${artifact.index + 1} lies at a ${url.protocol} address, which is not fetched.`,
    );
  }
  const picture = await client.fetchArtifact({ url: url.href }, ARTIFACT_BYTES_MAX);
  if (picture.byteLength === 0) throw new CliError("failed", `Picture ${artifact.index + 1} came empty.`);
  const sha256 = createHash("sha256").update(picture).digest("hex");
  if (artifact.sha256 !== null && artifact.sha256 !== sha256) {
    throw new CliError(
      "failed",
      `Picture ${artifact.index + 1} was damaged on its way: its SHA-256 is another. Try again.`,
    );
  }
  return picture;
}

async function writeWhole(path: string, picture: Uint8Array): Promise<void> {
  const half = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(half, picture, { flag: "wx" });
    await rename(half, path);
  } catch (error) {
    // Where there is nothing to remove, what was wrong before says more.
    await rm(half, { force: true }).catch(() => {});
    throw new CliError("failed", `${path} can't be written (${(error as NodeJS.ErrnoException).code}).`, {
      cause: error,
    });
  }
}
