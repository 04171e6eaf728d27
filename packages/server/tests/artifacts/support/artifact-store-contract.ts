import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { type ArtifactStore, ArtifactTooLarge } from "../../../src/artifacts/artifact-store.ts";
import { png } from "../../sessions/support/pictures.ts";
import { keysOf } from "./keys-of.ts";

/** A store that is empty, and another look at the same place, as a later process has it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ArtifactStore;
  reopen(): Promise<ArtifactStore>;
}

const MAX = 64 * 1_024 * 1_024;
const KEY = "attempts/a1/0";

/** What every artifact store keeps. */
export function artifactStoreContract(name: string, setup: () => Promise<StoreUnderTest>): void {
  const put = (store: ArtifactStore, key: string, bytes: Buffer) =>
    store.put(key, Readable.from([bytes], { objectMode: false }), { bytesMax: MAX, mime: "text/html" });

  test(`${name}: what was put is there whole, with its hash, and its type by its own bytes`, async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const picture = png(64, 64);
    const sha256 = sha256Of(picture);
    expect(await put(store, KEY, picture)).toEqual({ key: KEY, sha256, bytes: picture.length });
    const later = await bundle.reopen();
    for (const each of [store, later]) {
      expect(await each.head(KEY)).toMatchObject({ key: KEY, sha256, bytes: picture.length, mime: "image/png" });
      expect(await bytesOf(each, KEY)).toEqual(picture);
    }
    await put(store, "attempts/a1/1", Buffer.from("<script>"));
    expect(await later.head("attempts/a1/1")).toMatchObject({ mime: "application/octet-stream" });
    await later.close();
  });

  test(`${name}: what is not there is null`, async () => {
    await using bundle = await setup();
    expect(await bundle.store.head(KEY)).toBeNull();
    expect(await bundle.store.get(KEY)).toBeNull();
    expect(await bundle.store.get(KEY, { start: 0, end: 9 })).toBeNull();
    await bundle.store.delete([KEY]);
  });

  test(`${name}: a range of bytes is read, up to the end where it is beyond`, async () => {
    await using bundle = await setup();
    await put(bundle.store, KEY, Buffer.from("0123456789"));
    const range = async (start: number, end: number) => {
      const body = await bundle.store.get(KEY, { start, end });
      return body === null ? null : (await buffer(body)).toString();
    };
    expect([await range(0, 3), await range(4, 4), await range(8, 65_535)]).toEqual(["0123", "4", "89"]);
  });

  test(`${name}: nothing at all can be stored`, async () => {
    await using bundle = await setup();
    await put(bundle.store, KEY, Buffer.alloc(0));
    expect(await bundle.store.head(KEY)).toMatchObject({ bytes: 0, sha256: sha256Of(Buffer.alloc(0)) });
    expect(await bytesOf(bundle.store, KEY)).toEqual(Buffer.alloc(0));
  });

  test(`${name}: putting a key again replaces it`, async () => {
    await using bundle = await setup();
    await put(bundle.store, KEY, png(8, 8, 1));
    const second = png(9, 9, 2);
    await put(bundle.store, KEY, second);
    expect(await bundle.store.head(KEY)).toMatchObject({ sha256: sha256Of(second) });
    expect(await bytesOf(bundle.store, KEY)).toEqual(second);
  });

  test(`${name}: 40 MiB in odd pieces come back byte for byte`, async () => {
    await using bundle = await setup();
    const piece = (number: number) => Buffer.alloc(1_000_003, number);
    const pieces = Array.from({ length: 42 }, (_, number) => piece(number));
    const whole = Buffer.concat(pieces);
    const stored = await bundle.store.put(KEY, Readable.from(pieces, { objectMode: false }), {
      bytesMax: MAX,
      mime: "image/png",
    });
    expect(stored).toEqual({ key: KEY, sha256: sha256Of(whole), bytes: whole.length });
    expect((await bytesOf(bundle.store, KEY))?.equals(whole)).toBe(true);
    const later = await bundle.reopen();
    expect(await later.head(KEY)).toMatchObject({ sha256: sha256Of(whole), bytes: whole.length });
    await later.close();
  });

  test.each([1_000, 40_000_000])(
    `${name}: a body over the limit, or one that breaks off after %i bytes, leaves what was there`,
    async (bytes) => {
      await using bundle = await setup();
      const { store } = bundle;
      const before = png(8, 8, 7);
      await put(store, KEY, before);
      function* broken(): Generator<Buffer> {
        for (let sent = 0; sent < bytes; sent += 1_000_000) yield Buffer.alloc(Math.min(1_000_000, bytes));
        throw new Error("the node hung up");
      }
      await expect(
        store.put(KEY, Readable.from(broken(), { objectMode: false }), { bytesMax: MAX, mime: "image/png" }),
      ).rejects.toThrow("hung up");
      await expect(
        store.put(KEY, Readable.from([Buffer.alloc(bytes)], { objectMode: false }), {
          bytesMax: bytes - 1,
          mime: "image/png",
        }),
      ).rejects.toThrow(ArtifactTooLarge);
      expect(await bytesOf(store, KEY)).toEqual(before);
      expect(await keysOf(store, "")).toEqual([KEY]);
    },
  );

  test(`${name}: what is below a folder is listed, each key once`, async () => {
    await using bundle = await setup();
    const keys = ["attempts/a/0", "attempts/a/1", "attempts/a/10", "attempts/b/0", "uploads/u/1"];
    for (const key of [...keys].reverse()) await put(bundle.store, key, Buffer.from(key));
    const listed = async (folder: string) => (await keysOf(bundle.store, folder)).sort();
    expect(await listed("")).toEqual(keys);
    expect(await listed("attempts")).toEqual(keys.slice(0, 4));
    expect(await listed("attempts/a")).toEqual(keys.slice(0, 3));
    expect(await listed("uploads")).toEqual(["uploads/u/1"]);
    expect([await listed("none"), await listed("upload")]).toEqual([[], []]);
    for await (const { modifiedAtMs } of bundle.store.list("uploads")) {
      expect(Math.abs(modifiedAtMs - Date.now())).toBeLessThan(60_000);
    }
  });

  test(`${name}: what is deleted while it is listed keeps nothing else out of the list`, async () => {
    await using bundle = await setup();
    const keys = Array.from({ length: 100 }, (_, number) => `attempts/a${number % 50}/${number}`).sort();
    for (const key of keys) await put(bundle.store, key, Buffer.from(key));
    const seen: string[] = [];
    for await (const { key } of bundle.store.list("attempts")) {
      seen.push(key);
      await bundle.store.delete([key]);
    }
    expect(seen.sort()).toEqual(keys);
    expect(await keysOf(bundle.store, "")).toEqual([]);
  });

  test(`${name}: deleted keys are gone, and a key that is not there is none the less`, async () => {
    await using bundle = await setup();
    await put(bundle.store, KEY, Buffer.from("a"));
    await put(bundle.store, "attempts/a1/1", Buffer.from("b"));
    await bundle.store.delete([KEY, "attempts/none/0"]);
    expect(await bundle.store.head(KEY)).toBeNull();
    expect(await bytesOf(bundle.store, "attempts/a1/1")).toEqual(Buffer.from("b"));
  });

  test.each(["../secret", "a/../../b", "/etc/passwd", "A", "a//b", "", ".hidden"])(
    `${name}: %j is no key`,
    async (key) => {
      await using bundle = await setup();
      await expect(put(bundle.store, key, Buffer.from("a"))).rejects.toThrow("no artifact key");
      await expect(bundle.store.get(key)).rejects.toThrow("no artifact key");
    },
  );
}

export function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export async function bytesOf(store: Pick<ArtifactStore, "get">, key: string): Promise<Buffer | null> {
  const body = await store.get(key);
  return body === null ? null : await buffer(body);
}
