import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, stat, utimes } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { FolderArtifactStore } from "../../src/artifacts/folder-artifact-store.ts";
import { Uploads } from "../../src/uploads/uploads.ts";
import { keysOf } from "../artifacts/support/keys-of.ts";
import { api } from "../support/api.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { MemoryArtifacts } from "../support/memory-artifacts.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";

const PNG = Buffer.concat([
  Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
  Buffer.from("0000004000000040", "hex"),
  Buffer.alloc(92, 1),
]);
const ID = createHash("sha256").update(PNG).digest("hex");
/** A hundred bytes that claim 60,000 × 60,000 pixels. */
const BOMB = Buffer.from(PNG);
BOMB.writeUInt32BE(60_000, 16);
BOMB.writeUInt32BE(60_000, 20);
const AS_PNG = { "content-type": "image/png" };

test("a picture travels once: the second time it is known", async () => {
  await using server = await TestHttpServer.start();
  const url = `${server.url}/v2/uploads`;
  expect((await rawHttp("GET", `${url}/${ID}`)).json().code).toBe("upload_not_found");
  const first = await rawHttp("POST", url, { headers: AS_PNG, body: PNG });
  expect([first.status, first.json()]).toEqual([201, { id: ID, bytes: PNG.length, mime: "image/png" }]);
  expect((await rawHttp("POST", `${url}?sha256=${ID}`, { headers: AS_PNG, body: PNG })).status).toBe(200);
  expect((await rawHttp("GET", `${url}/${ID}`)).json()).toEqual(first.json());
});

test("a picture that claims more pixels than are taken is refused, however it is brought", async () => {
  await using server = await TestHttpServer.start();
  const refused = [
    await rawHttp("POST", `${server.url}/v2/uploads`, { headers: AS_PNG, body: BOMB }),
    await postJson(`${server.url}/v2/tasks`, {
      pipeline: { type: "standard", prompt: "a fox", image: { base64: BOMB.toString("base64") } },
    }),
    await postJson(`${server.url}/v2/tasks`, {
      pipeline: {
        type: "comfy",
        workflow: { "1": { class_type: "LoadImage", inputs: { image: "a.png" } } },
        images: { "a.png": BOMB.toString("base64") },
      },
    }),
  ];
  const { status, body } = await api(server.url)
    .post("/v2/tasks")
    .field("task", JSON.stringify({ pipeline: { type: "standard", prompt: "a fox", image: { part: "fox" } } }))
    .attach("fox", BOMB, "fox.png");
  const codes = [...refused.map((answer) => [answer.status, answer.json().code]), [status, body.code]];
  expect(codes).toEqual(Array.from({ length: 4 }, () => [422, "upload_not_an_image"]));
  expect(server.tasks.submitted).toEqual([]);
});

test("text in base64 is refused where a picture belongs, as it is when it is uploaded", async () => {
  await using server = await TestHttpServer.start();
  const base64 = Buffer.from("hello, this is text").toString("base64");
  const workflow = { "1": { class_type: "LoadImage", inputs: { image: "a.png" } } };
  const refused = [
    await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt: "a fox", image: { base64 } } }),
    await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "comfy", workflow, images: { "a.png": base64 } } }),
  ];
  const message = "is no PNG, JPEG, WebP, GIF or AVIF";
  expect(refused.map((answer) => answer.json())).toMatchObject([
    { status: 422, code: "upload_not_an_image", errors: [{ field: "pipeline.image.base64", message }] },
    { status: 422, code: "upload_not_an_image", errors: [{ field: "pipeline.images.a.png", message }] },
  ]);
  expect(server.tasks.submitted).toEqual([]);
});

test("a task takes an upload of its own user, and of nobody else", async () => {
  await using server = await TestHttpServer.start();
  await rawHttp("POST", `${server.url}/v2/uploads`, { headers: { ...AS_PNG, token: "ann" }, body: PNG });
  const body = { pipeline: { type: "standard", prompt: "a fox", image: { uploadId: ID } } };
  const foreign = await postJson(`${server.url}/v2/tasks`, body, { token: "bob" });
  expect([foreign.status, foreign.json().code]).toEqual([404, "upload_not_found"]);
  expect((await postJson(`${server.url}/v2/tasks`, body, { token: "ann" })).status).toBe(201);
  expect(server.tasks.submitted[0]).toMatchObject({
    pipeline: { image: { base64: PNG.toString("base64"), mime: "image/png" } },
    requirements: { imageInput: "required" },
  });
});

test("an upload that lies about its hash, is no picture, too long or of another type is refused", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 1_000 } });
  const url = `${server.url}/v2/uploads`;
  const svg = Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>");
  const cases = [
    await rawHttp("POST", `${url}?sha256=${"0".repeat(64)}`, { headers: AS_PNG, body: PNG }),
    await rawHttp("POST", url, { headers: AS_PNG, body: svg }),
    await rawHttp("POST", url, { headers: AS_PNG, body: Buffer.concat([PNG, Buffer.alloc(1_000)]) }),
    await rawHttp("POST", url, { headers: { "content-type": "text/html" }, body: PNG }),
    await rawHttp("POST", url, { headers: AS_PNG }),
  ];
  expect(cases.map((answer) => answer.json().code)).toEqual([
    "upload_hash_mismatch",
    "upload_not_an_image",
    "body_too_large",
    "unsupported_media_type",
    "upload_not_an_image",
  ]);
});

test("an upload that stops half-way leaves nothing", async () => {
  await using server = await TestHttpServer.start();
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `POST /v2/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${PNG.length}\r\n\r\n`,
  );
  socket.resume();
  socket.end(PNG.subarray(0, 50));
  await once(socket, "close");
  expect((await rawHttp("GET", `${server.url}/v2/uploads/${ID}`)).status).toBe(404);
});

test("an upload is kept for its time after it was last brought", async () => {
  const uploads = new Uploads(new MemoryArtifacts(), { ttlMs: 1_000, userBytesMax: null });
  await uploads.put("ann", PNG, null);
  expect(await uploads.sweep(Date.now())).toBe(0);
  expect(await uploads.sweep(Date.now() + 2_000)).toBe(1);
  expect(await uploads.find("ann", ID)).toBeNull();
});

test("an upload is kept for its time after a task used it last, and is not written at each use", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-uploads-"));
  try {
    const artifacts = await FolderArtifactStore.open(folder);
    const uploads = new Uploads(artifacts, { ttlMs: 100_000, userBytesMax: null });
    await uploads.put("ann", PNG, null);
    const file = join(folder, (await keysOf(artifacts, "uploads"))[0] ?? "");
    const usedAt = async (agoMs: number) => {
      const then = new Date(Date.now() - agoMs);
      await utimes(file, then, then);
      expect(await uploads.read("ann", ID)).toEqual(PNG);
      return await stat(file);
    };
    expect((await usedAt(90_000)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
    const before = await stat(file);
    expect((await usedAt(9_000)).ino).toBe(before.ino);
    // The last use was now, and what is on the disk is 9 s older.
    expect(await uploads.sweep(Date.now() + 99_000)).toBe(0);
    expect(await uploads.sweep(Date.now() + 111_000)).toBe(1);
    expect(await uploads.read("ann", ID)).toBeNull();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a user's uploads have a bound together, which a restart and the sweep know", async () => {
  const KIB = 1_024;
  const pictureOf = (bytes: number, fill: number): Buffer =>
    Buffer.concat([PNG, Buffer.alloc(bytes - PNG.length, fill)]);
  const artifacts = new MemoryArtifacts();
  const limits = { ttlMs: 1_000, userBytesMax: 1_024 * KIB };
  const uploads = new Uploads(artifacts, limits);
  const types = async (of: Uploads, userId: string, pictures: readonly Buffer[]) =>
    (await Promise.all(pictures.map((each) => of.put(userId, each, null)))).map(({ type }) => type);
  const large = pictureOf(600 * KIB, 1);
  expect(await types(uploads, "ann", [large])).toEqual(["stored"]);
  expect(await types(uploads, "ann", [pictureOf(600 * KIB, 2), large])).toEqual(["no_room", "known"]);
  expect(await types(uploads, "bob", [pictureOf(600 * KIB, 2)])).toEqual(["stored"]);
  // At once, and each of the small ones counts as 64 KiB.
  const small = Array.from({ length: 8 }, (_, n) => pictureOf(KIB, n));
  const taken = await types(uploads, "ann", small);
  expect(taken.filter((type) => type === "stored")).toHaveLength(6);
  expect(taken.filter((type) => type === "no_room")).toHaveLength(2);

  const restarted = new Uploads(artifacts, limits);
  expect(await restarted.put("ann", pictureOf(KIB, 9), null)).toEqual({
    type: "no_room",
    usedBytes: (600 + 6 * 64) * KIB,
    bytesMax: 1_024 * KIB,
  });
  await restarted.sweep(Date.now() + 2_000);
  expect(await types(restarted, "ann", [pictureOf(KIB, 9)])).toEqual(["stored"]);
});

test("an upload beyond the bound is refused with what is taken", async () => {
  await using server = await RealServer.start({ MAX_UPLOAD_BYTES_PER_USER: "1MiB" });
  const bring = (fill: number) =>
    rawHttp("POST", `${server.url}/v2/uploads`, {
      headers: AS_PNG,
      body: Buffer.concat([PNG, Buffer.alloc(600_000, fill)]),
    });
  expect((await bring(1)).status).toBe(201);
  const refused = await bring(2);
  expect([refused.status, refused.json()]).toEqual([
    409,
    expect.objectContaining({ code: "upload_quota_exceeded", detail: expect.stringContaining("of 1048576 bytes") }),
  ]);
  await server.restart();
  expect((await bring(2)).status).toBe(409);
  expect((await bring(1)).status).toBe(200);
});
