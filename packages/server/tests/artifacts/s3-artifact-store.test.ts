import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { openArtifactStore } from "../../src/artifacts/open-artifact-store.ts";
import { S3ArtifactStore } from "../../src/artifacts/s3-artifact-store.ts";
import { readConfiguration } from "../../src/configuration/configuration.ts";
import { png } from "../sessions/support/pictures.ts";
import { artifactStoreContract, bytesOf, sha256Of } from "./support/artifact-store-contract.ts";
import { keysOf } from "./support/keys-of.ts";
import { S3Server } from "./support/s3-server.ts";

for (const prefix of ["", "genai/pictures"]) {
  artifactStoreContract(`S3 ${prefix === "" ? "at the root" : "below a prefix"}`, async () => {
    const server = await S3Server.start();
    const store = await server.open({ prefix });
    return {
      store,
      reopen: () => server.open({ prefix }),
      [Symbol.asyncDispose]: async () => {
        await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}

test("more pictures than S3 lists at once are listed whole, and what has no key of ours is left out", async () => {
  const names = Array.from({ length: 25 }, (_, number) => `genai/attempts/a${number}/0`).sort();
  const kept = [...names, "genai/attempts/README", "genai/attempts-of-others/0", "genai/uploads/u/1"].sort();
  // Lists ten at most, as a store may.
  const listing = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://s3");
    const [prefix, after] = [searchParams.get("prefix") ?? "", searchParams.get("start-after") ?? ""];
    const behind = kept.filter((key) => key.startsWith(prefix) && key > after);
    const objects = behind.slice(0, 10).map((key) => `<Contents><Key>${key}</Key></Contents>`);
    response.setHeader("content-type", "application/xml");
    response.end(
      `<ListBucketResult><IsTruncated>${behind.length > 10}</IsTruncated>${objects.join("")}</ListBucketResult>`,
    );
  });
  listing.listen(0, "127.0.0.1");
  await once(listing, "listening");
  const { port } = listing.address() as AddressInfo;
  await using server = await S3Server.start();
  const store = await server.open({ prefix: "genai", endpoint: `http://127.0.0.1:${port}` });
  expect((await keysOf(store, "attempts")).map((key) => `genai/${key}`)).toEqual(names);
  expect(await keysOf(store, "")).toHaveLength(names.length + 2);
  await store.close();
  listing.closeAllConnections();
  listing.close();
  await once(listing, "close");
});

test("a presigned URL gives the picture to whoever has it, until it expires", async () => {
  await using server = await S3Server.start();
  const store = await server.open();
  const picture = png(32, 32);
  await store.put("attempts/a/0", Readable.from([picture]), { bytesMax: 1e6 });
  const url = await store.redirectUrl("attempts/a/0", { mime: "image/png", expiresInMs: 60_000 });
  const answer = await fetch(url ?? "");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(picture);
  expect(new URL(url ?? "").searchParams.get("X-Amz-Expires")).toBe("60");
  const other = await store.redirectUrl("attempts/a/0", { mime: "text/html", expiresInMs: 60_000 });
  expect((await fetch(other ?? "")).headers.get("content-disposition")).toBe("attachment");
  await store.close();
});

test.each(["image/svg+xml", "text/html"])(
  "check 35: a picture whose node called it %s is served as what its bytes are",
  async (mime) => {
    await using server = await S3Server.start();
    const store = await server.open();
    const polyglot = Buffer.from("GIF89a<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>");
    const upload = { sha256: sha256Of(polyglot), bytes: polyglot.length, mime };
    const target = await store.uploadTo("attempts/a/0", upload, { expiresInMs: 60_000 });
    const { "content-length": _length, ...headers } = target?.headers ?? {};
    await fetch(target?.url ?? "", { method: "PUT", headers, body: new Uint8Array(polyglot) });
    expect((await store.head("attempts/a/0"))?.mime).toBe("image/gif");
    await store.close();
  },
);

test("a presigned upload is bound to hash, length and type, and what it brings is hashed by us", async () => {
  await using server = await S3Server.start();
  const store = await server.open();
  const picture = png(32, 32);
  const upload = { sha256: sha256Of(picture), bytes: picture.length, mime: "image/png" };
  const target = await store.uploadTo("attempts/a/0", upload, { expiresInMs: 60_000 });
  const signed = new URL(target?.url ?? "").searchParams.get("X-Amz-SignedHeaders")?.split(";");
  expect(signed).toEqual(["content-length", "content-type", "host", "x-amz-checksum-sha256"]);
  // This server checks no signature, so a node can lie here; the hash is of what came all the same.
  const lie = png(32, 32, 9);
  const { "content-length": _length, ...headers } = target?.headers ?? {};
  const answer = await fetch(target?.url ?? "", { method: "PUT", headers, body: new Uint8Array(lie) });
  expect(answer.status).toBe(200);
  const head = await (await server.open()).head("attempts/a/0");
  expect(head).toMatchObject({ sha256: sha256Of(lie), bytes: lie.length });
  await store.close();
});

test("without presigning nobody is sent to S3", async () => {
  await using server = await S3Server.start();
  const store = await server.open({ presign: false });
  expect(await store.redirectUrl("a", { mime: "image/png", expiresInMs: 1_000 })).toBeNull();
  expect(await store.uploadTo("a", { sha256: "", bytes: 0, mime: "" }, { expiresInMs: 1_000 })).toBeNull();
  await store.close();
});

test("pictures that another program copied into the bucket are pictures", async () => {
  await using server = await S3Server.start();
  const picture = png(16, 16);
  await fetch(`${server.endpoint}/pictures/attempts/a/0`, { method: "PUT", body: new Uint8Array(picture) });
  const store = await server.open();
  expect(await store.head("attempts/a/0")).toMatchObject({ mime: "image/png", sha256: sha256Of(picture) });
  expect(await bytesOf(store, "attempts/a/0")).toEqual(picture);
  await store.close();
});

test("the configuration names the bucket; without it there is a folder", async () => {
  await using server = await S3Server.start();
  const configuration = readConfiguration({
    ARTIFACT_STORE: "s3://pictures/genai",
    S3_ENDPOINT: server.endpoint,
    S3_PATH_STYLE: "true",
  });
  const store = await openArtifactStore(configuration);
  expect(store).toBeInstanceOf(S3ArtifactStore);
  await store.close();
});

test.each([
  ["pictures", "must be like s3://bucket"],
  ["s3://", "must be like s3://bucket"],
  ["s3://UPPER/x", "must be like s3://bucket"],
  ["https://s3.amazonaws.com/pictures", "must be like s3://bucket"],
])("ARTIFACT_STORE=%s stops the start with a sentence", async (location, sentence) => {
  const configuration = readConfiguration({ ARTIFACT_STORE: location });
  await expect(openArtifactStore(configuration)).rejects.toThrow(sentence);
});

test("a bucket that is not there, is forbidden, or does not answer stops the start with a sentence", async () => {
  await using server = await S3Server.start();
  await expect(server.open({ bucket: "none" })).rejects.toThrow(/bucket "none", which does not exist/);
  const forbidding = createServer((_request, response) => response.writeHead(403).end());
  forbidding.listen(0, "127.0.0.1");
  await once(forbidding, "listening");
  const { port } = forbidding.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  await expect(server.open({ endpoint })).rejects.toThrow(/does not let these credentials use it/);
  forbidding.closeAllConnections();
  forbidding.close();
  await once(forbidding, "close");
  await expect(server.open({ endpoint })).rejects.toThrow(/does not answer/);
});
