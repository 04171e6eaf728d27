import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { rawHttp } from "../support/raw-http.ts";

const PNG = Buffer.concat([
  Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
  Buffer.from("0000004000000040", "hex"),
  Buffer.alloc(92, 1),
]);
const FROM_PART = { pipeline: { type: "standard", prompt: "a fox", image: { part: "fox" } } };

test("a picture travels beside its task in a multipart body", async () => {
  await using server = await TestHttpServer.start();
  await api(server.url)
    .post("/v2/tasks")
    .field("task", JSON.stringify(FROM_PART))
    .attach("fox", PNG, { filename: "fox.png", contentType: "image/png" })
    .expect(201);
  expect(server.tasks.submitted[0]).toMatchObject({
    pipeline: { image: { base64: PNG.toString("base64"), mime: "image/png" } },
    requirements: { imageInput: "required" },
  });
});

test("a graph takes its images from parts, uploads and base64 alike", async () => {
  await using server = await TestHttpServer.start();
  const upload = await api(server.url).post("/v2/uploads").set("content-type", "image/png").send(PNG).expect(201);
  const workflow = { "1": { class_type: "LoadImage", inputs: { image: "a.png" } } };
  const base64 = PNG.toString("base64");
  const images = { "a.png": { part: "a" }, "b.png": { uploadId: upload.body.id }, "c.png": base64 };
  await api(server.url)
    .post("/v2/tasks")
    .field("task", JSON.stringify({ pipeline: { type: "comfy", workflow, images } }))
    .attach("a", PNG, "a.png")
    .expect(201);
  expect(server.tasks.submitted[0]?.pipeline).toMatchObject({
    images: { "a.png": base64, "b.png": base64, "c.png": base64 },
  });
});

test("another file under the same idempotency key is another request", async () => {
  await using server = await TestHttpServer.start();
  const send = (bytes: Buffer) =>
    api(server.url)
      .post("/v2/tasks")
      .set("idempotency-key", "k")
      .field("task", JSON.stringify(FROM_PART))
      .attach("fox", bytes, "fox.png");
  const statuses = [(await send(PNG)).status, (await send(PNG)).status];
  expect([...statuses, (await send(Buffer.concat([PNG, PNG]))).status]).toEqual([201, 200, 422]);
});

test("a part that is missing, unused, named twice or no picture is told", async () => {
  await using server = await TestHttpServer.start();
  const post = () => api(server.url).post("/v2/tasks");
  const task = JSON.stringify(FROM_PART);
  const cases = [
    await post().field("task", task).field("other", "x"),
    await post().field("task", task).attach("fox", PNG, "f").attach("cat", PNG, "c"),
    await post().field("task", task).attach("fox", PNG, "f").attach("fox", PNG, "f"),
    await post().field("task", task).attach("fox", Buffer.from("<svg/>"), "f"),
    await post().attach("fox", PNG, "f"),
    await post().field("task", "{").attach("fox", PNG, "f"),
  ];
  expect(cases.map(({ status, body }) => [status, body.code])).toEqual([
    [400, "invalid_request"],
    [400, "invalid_request"],
    [400, "invalid_request"],
    [422, "upload_not_an_image"],
    [400, "invalid_request"],
    [400, "invalid_json"],
  ]);
  expect(cases.map(({ body }) => body.errors?.[0]?.field)).toEqual([
    "pipeline.image.part",
    "cat",
    undefined,
    "pipeline.image",
    undefined,
    undefined,
  ]);
  expect(server.tasks.submitted).toEqual([]);
});

test.each([
  ["without a boundary", "multipart/form-data", "x"],
  ["cut short", "multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="task"\r\n\r\n{"pipel'],
  ["that is no multipart at all", "multipart/form-data; boundary=b", "{}"],
  ["of headers without an end", "multipart/form-data; boundary=b", `--b\r\n${"A: b\r\n".repeat(10_000)}`],
  ["with a boundary of pieces", "multipart/form-data; boundary=----", "--".repeat(200_000)],
])("a multipart body %s is refused", async (_name, contentType, body) => {
  await using server = await TestHttpServer.start();
  const answer = await rawHttp("POST", `${server.url}/v2/tasks`, { headers: { "content-type": contentType }, body });
  expect([answer.status, answer.json().code]).toEqual([400, "invalid_request"]);
});

test("a multipart body over the limit is refused as any other", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 10_000 } });
  const answer = await api(server.url)
    .post("/v2/tasks")
    .field("task", JSON.stringify(FROM_PART))
    .attach("fox", Buffer.concat([PNG, Buffer.alloc(20_000)]), "f");
  expect([answer.status, answer.body.code]).toEqual([413, "body_too_large"]);
});

test("a part whose headers go on and on is refused before they are read", async () => {
  await using server = await TestHttpServer.start();
  const send = (headers: string) => {
    const part = `--b\r\ncontent-disposition: form-data; name="task"\r\n${headers}\r\n{}\r\n--b--\r\n`;
    const type = { "content-type": "multipart/form-data; boundary=b" };
    return rawHttp("POST", `${server.url}/v2/tasks`, { headers: type, body: part });
  };
  const refusal = "the headers of part 1 do not end within 4096 bytes";
  expect((await send("a: b\r\n".repeat(1_000))).json().detail).toContain(refusal);
  expect((await send(`a: ${"b".repeat(500_000)}\r\n`)).json().detail).toContain(refusal);
  // What is wrong is the task that is in it.
  expect((await send("a: b\r\n".repeat(500))).json().detail).toContain("pipeline");
});

test("a body of more parts than are taken is refused before they are told apart, and 256 files are taken", async () => {
  await using server = await TestHttpServer.start();
  const part = (name: string, value: string): string =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const send = (count: number, type = "multipart/form-data; boundary=b") => {
    const files = Array.from({ length: count }, (_, n) => part(`f${n}`, "x"));
    const body = `${part("task", JSON.stringify(FROM_PART))}${files.join("")}--b--\r\n`;
    return rawHttp("POST", `${server.url}/v2/tasks`, { headers: { "content-type": type }, body });
  };
  expect((await send(257)).json().detail).toContain("it has more than 256 parts");
  expect((await send(14_000)).json().detail).toContain("it has more than 256 parts");
  expect((await send(256)).json().detail).toContain("pipeline.image.part");
  expect((await send(1, "multipart/form-data")).json().detail).toContain("names no boundary");
  expect((await send(1, 'multipart/form-data; charset=x; boundary="b"')).json().detail).toContain(
    "pipeline.image.part",
  );
});
