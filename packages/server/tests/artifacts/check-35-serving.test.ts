import { writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { png } from "../sessions/support/pictures.ts";
import { setup } from "../sessions/support/setup.ts";

/** Asks for a path as it is: `fetch` would tidy it up. */
const ask = async (port: number, path: string): Promise<readonly [IncomingMessage, string]> => {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port, host: "127.0.0.1", path }, resolve).on("error", reject);
  });
  return [answer, await text(answer)];
};

const SCRIPT = "<script>alert(1)</script>";

test.each([
  ["a picture", png(), "image/png", undefined],
  ["HTML", Buffer.from(`<!doctype html>${SCRIPT}`), "application/octet-stream", "attachment"],
  [
    "SVG",
    Buffer.from(`<svg xmlns='http://www.w3.org/2000/svg'>${SCRIPT}</svg>`),
    "application/octet-stream",
    "attachment",
  ],
  ["a picture's first bytes before HTML", Buffer.from(`GIF89a${SCRIPT}`), "image/gif", undefined],
])(
  "check 35: %s is served from its own path as what its bytes are, and can run nothing",
  async (_what, body, type, disposition) => {
    await using gateway = await setup();
    const key = "attempts/00000000-0000-4000-8000-000000000000/0";
    // Its sender says that it is a page.
    await gateway.artifacts.put(key, Readable.from([body]), { bytesMax: 10_000, mime: "text/html" });
    const [answer] = await ask(gateway.port, gateway.urls.download(key, 60_000));
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      "content-type": type,
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
    });
    expect(answer.headers["content-disposition"]).toBe(disposition);
  },
);

test("check 35: names with NUL, dots and odd slashes lead nowhere, even signed", async () => {
  await using gateway = await setup();
  await writeFile(join(gateway.folder, "..", "genai-beside"), "secret");
  await gateway.artifacts.put("attempts/a/0", Readable.from(["in"]), { bytesMax: 10, mime: "image/png" });
  const names = [
    ...["../genai-beside", "attempts/../../genai-beside", "attempts/a/../../../genai-beside", "..%2fgenai-beside"],
    ...[
      "%2e%2e/genai-beside",
      "%2e%2e%2fgenai-beside",
      "..%5cgenai-beside",
      "..\\genai-beside",
      "%252e%252e/genai-beside",
    ],
    ...[
      "attempts/a/0%00",
      "attempts/a/0%00.png",
      "%00",
      "attempts/a//0",
      "/attempts/a/0",
      "attempts/a/0/",
      "attempts/./a/0",
    ],
    ...[
      "unfinished/.",
      ".",
      "..",
      "attempts",
      "attempts/A/0",
      "attempts/a/0%0a",
      "attempts/%E2%80%AE/0",
      "a".repeat(600),
    ],
  ];
  const found: unknown[] = [];
  for (const name of names) {
    // Signed as it is written, and as it is read.
    for (const signed of new Set([name, decodeURIComponent(name)])) {
      const query = gateway.urls.download(signed, 60_000).split("?").at(-1);
      const [answer, body] = await ask(gateway.port, `/artifacts/${name}?${query}`);
      if (body.includes("secret") || ![400, 403, 404].includes(answer.statusCode ?? 0))
        found.push([name, answer.statusCode]);
    }
  }
  expect(found).toEqual([]);
});

test("a download that nobody reads is cut off, and one that is read slowly is not", async () => {
  await using gateway = await setup({ stallMs: 2_000 });
  const bytes = 32 * 1_024 * 1_024;
  await gateway.artifacts.put("attempts/a/0", Readable.from([Buffer.alloc(bytes, 1)]), { bytesMax: bytes, mime: "" });
  const path = gateway.urls.download("attempts/a/0", 60_000);
  const unread = connect(gateway.port, "127.0.0.1").pause();
  unread.on("error", () => {});
  unread.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const slow = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port: gateway.port, host: "127.0.0.1", path }, resolve).on("error", reject);
  });
  let read = 0;
  for await (const chunk of slow) {
    read += (chunk as Buffer).length;
    if (read < 8 * 1_024 * 1_024) await sleep(10);
  }
  expect(read).toBe(bytes);
  await until("the other connections have ended", async () => (await gateway.connections()) <= 1);
  unread.destroy();
});

test("a range of an empty file is all of it, or none", async () => {
  await using gateway = await setup({});
  await gateway.artifacts.put("attempts/a/0", Readable.from([]), { bytesMax: 1, mime: "" });
  const url = `http://127.0.0.1:${gateway.port}${gateway.urls.download("attempts/a/0", 60_000)}`;
  const statusOf = async (range: string) => (await fetch(url, { headers: { range } })).status;
  expect(await Promise.all(["bytes=-5", "bytes=-0", "bytes=0-", "bytes=0-0"].map(statusOf))).toEqual([
    200, 416, 416, 416,
  ]);
});

test("a download whose client hangs up while the picture is opened leaves no file open", async () => {
  let entered = false;
  let hungUp = (): void => {};
  const gate = new Promise<void>((resolve) => {
    hungUp = resolve;
  });
  let body: Readable | null = null;
  await using gateway = await setup({
    before: (real) => ({
      put: real.put.bind(real),
      head: real.head.bind(real),
      delete: real.delete.bind(real),
      redirectUrl: real.redirectUrl.bind(real),
      uploadTo: real.uploadTo.bind(real),
      list: real.list.bind(real),
      close: () => real.close(),
      get: async (key, range) => {
        entered = true;
        await gate;
        body = await real.get(key, range);
        return body;
      },
    }),
  });
  const bytes = 1_024 * 1_024;
  await gateway.artifacts.put("attempts/a/0", Readable.from([Buffer.alloc(bytes)]), { bytesMax: bytes, mime: "" });
  const client = connect(gateway.port, "127.0.0.1");
  client.write(`GET ${gateway.urls.download("attempts/a/0", 60_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await until("the picture is being opened", () => entered);
  client.destroy();
  await until("the reader is gone", async () => (await gateway.connections()) === 0);
  hungUp();
  await until("the picture is closed again", () => body?.closed === true);
});
