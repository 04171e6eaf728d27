import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import type { ArtifactStore, StoredArtifact } from "../../src/artifacts/artifact-store.ts";
import { FolderArtifactStore } from "../../src/artifacts/folder-artifact-store.ts";
import { bytesOf, sha256Of } from "./support/artifact-store-contract.ts";
import { keysOf } from "./support/keys-of.ts";
import { S3_CREDENTIALS, S3Server } from "./support/s3-server.ts";

/** Kills of each store. More by hand: `UPLOAD_KILLS=100`. */
const KILLS = Number(process.env.UPLOAD_KILLS ?? 6);

/** Runs the uploading process and kills it some time after its second picture. Returns what it had named. */
async function killedRound(place: string, round: number): Promise<readonly StoredArtifact[]> {
  const hooks = new URL("../../../../.ci/typescript-hooks.js", import.meta.url);
  const script = fileURLToPath(new URL("./support/uploading-process.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", hooks.href, script, place, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...S3_CREDENTIALS },
  });
  const exited = once(child, "exit");
  const named: StoredArtifact[] = [];
  let pieces = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) named.push(JSON.parse(line) as StoredArtifact);
    if (named.length < 2) continue;
    // At another moment of the next picture in each round.
    pieces += 1;
    if (pieces === 1) setTimeout(() => child.kill("SIGKILL"), (round * 37) % 100);
  }
  await exited;
  return named;
}

async function nothingShort(store: ArtifactStore, named: readonly StoredArtifact[]): Promise<void> {
  expect(named.length).toBeGreaterThanOrEqual(2 * KILLS);
  for (const { key, sha256, bytes } of named) {
    expect(await store.head(key)).toMatchObject({ key, sha256, bytes });
    expect(sha256Of((await bytesOf(store, key)) ?? Buffer.alloc(0))).toBe(sha256);
  }
}

/** What nobody was told of may be there, but only whole. */
async function onlyWholeOnes(store: ArtifactStore): Promise<number> {
  const listed = await keysOf(store, "");
  for (const key of listed) expect([6_000_000, 20_000_000]).toContain((await bytesOf(store, key))?.length);
  return listed.length;
}

test("a folder: kill -9 in the middle of uploads leaves no picture that was named missing or short", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-killed-"));
  const named: StoredArtifact[] = [];
  for (let round = 0; round < KILLS; round += 1) named.push(...(await killedRound(folder, round)));
  const store = await FolderArtifactStore.open(folder);
  await nothingShort(store, named);
  const listed = await onlyWholeOnes(store);
  console.info(`a folder: ${KILLS} kills, ${named.length} pictures named, ${listed} there, 0 missing, 0 short`);
  await rm(folder, { recursive: true });
}, 120_000);

test("S3: kill -9 in the middle of uploads leaves no picture that was named missing or short", async () => {
  await using server = await S3Server.start();
  const named: StoredArtifact[] = [];
  for (let round = 0; round < KILLS; round += 1) {
    named.push(...(await killedRound(JSON.stringify(server.options()), round)));
  }
  const store = await server.open();
  // This small server keeps what a broken PUT brought, which S3 never does: what was not named is not looked at.
  await nothingShort(store, named);
  console.info(`S3: ${KILLS} kills, ${named.length} pictures named, 0 missing, 0 short`);
  await store.close();
}, 120_000);
