import { Readable } from "node:stream";
import type { ArtifactStore } from "../../../src/artifacts/artifact-store.ts";
import { FolderArtifactStore } from "../../../src/artifacts/folder-artifact-store.ts";
import { S3ArtifactStore, type S3ArtifactStoreOptions } from "../../../src/artifacts/s3-artifact-store.ts";

/** Puts pictures one after the other until it is killed, and names each on standard output once the store has it, as a server tells of a
 *  task whose pictures it has. The place is the first argument (a folder, or the options of a bucket), the round the second. */
const [place = "", round = ""] = process.argv.slice(2);
const store: Pick<ArtifactStore, "put"> = place.startsWith("{")
  ? await S3ArtifactStore.open(JSON.parse(place) as S3ArtifactStoreOptions)
  : await FolderArtifactStore.open(place);
process.stdout.write("ready\n");

/** Picture `number` in slow pieces, so that a kill nearly always meets one half-way; every fourth is long enough for parts. */
async function* pieces(number: number): AsyncGenerator<Buffer> {
  const count = number % 4 === 3 ? 20 : 6;
  for (let piece = 0; piece < count; piece += 1) {
    yield Buffer.alloc(1_000_000, (number * 31 + piece) % 251);
    await new Promise(setImmediate);
  }
}

for (let number = 0; ; number += 1) {
  const key = `attempts/r${round}/${number}`;
  const stored = await store.put(key, Readable.from(pieces(number), { objectMode: false }), {
    bytesMax: 1e9,
    mime: "image/png",
  });
  process.stdout.write(`${JSON.stringify(stored)}\n`);
}
