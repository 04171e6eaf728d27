import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { JsonPictureReader } from "../../src/engines/json-picture-reader.ts";

function folder() {
  const path = mkdtempSync(join(tmpdir(), "genai-reader-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Feeds a text cut at the given places. */
async function read(path: string, text: string, cuts: readonly number[] = []) {
  const reader = new JsonPictureReader(path, {
    isPicture: (place) => place.length === 2 && place[0] === "images" && place[1] === "*",
    textBytesMax: 8 * 1024 * 1024,
  });
  const bytes = Buffer.from(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  try {
    for (const [n, from] of places.slice(0, -1).entries()) await reader.write(bytes.subarray(from, places[n + 1]));
    const { text: rest, pictures } = await reader.end();
    return { value: JSON.parse(rest) as unknown, pictures };
  } catch (error) {
    await reader.discard();
    throw error;
  }
}

test("wherever an answer is cut into pieces, each picture is in its file byte for byte and the rest is as it was", async () => {
  const picture = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const rest = fc.dictionary(
    fc.string().filter((key) => key !== "images" && key !== "__proto__"),
    fc.jsonValue({ maxDepth: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(picture, { maxLength: 4 }),
      rest,
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      async (made, others, cuts, prefixed) => {
        using place = folder();
        const images = made.map(
          (bytes) => `${prefixed ? "data:image/png;base64," : ""}${Buffer.from(bytes).toString("base64")}`,
        );
        const { value, pictures } = await read(
          place.path,
          JSON.stringify({ ...others, images, info: '{"seed":1}' }),
          cuts,
        );
        expect(value).toEqual(
          JSON.parse(JSON.stringify({ ...others, images: made.map(() => ""), info: '{"seed":1}' })),
        );
        const files = pictures.map((each) => (each.type === "file" ? readFileSync(each.file) : Buffer.alloc(0)));
        expect(files).toEqual(made.map((bytes) => Buffer.from(bytes)));
      },
    ),
    { numRuns: 150, seed: Number(process.env.SEED ?? 1) },
  );
}, 60_000);

test("lists named images elsewhere, and texts that hold such words, are left alone", async () => {
  using place = folder();
  const answer = { info: '{"images":["AAAA"]}', parameters: { images: ["AAAA"] }, note: 'say "images": ["AAAA"]' };
  const { value, pictures } = await read(place.path, JSON.stringify(answer));
  expect(value).toEqual(answer);
  expect(pictures).toEqual([]);
});

test("a URL stays a URL, and escaped slashes are slashes", async () => {
  using place = folder();
  const text = `{"images":["https://r2.example/a.png","${Buffer.from([0xff, 0xff, 0xff]).toString("base64").replaceAll("/", "\\/")}"]}`;
  const { pictures } = await read(place.path, text);
  expect(pictures[0]).toMatchObject({ type: "url", url: "https://r2.example/a.png" });
  expect(pictures[1]).toMatchObject({ type: "file", bytes: 3 });
});

describe("an answer that can't be used is refused and leaves no file", () => {
  test.each([
    ["one that ends inside a picture", '{"images":["iVBORw0KGgoAAAA', "ends inside a picture"],
    ["one with an escape in a picture", '{"images":["iVBO\\u0041"]}', "no base64"],
    [
      "one with more pictures than anybody asks for",
      `{"images":[${'"AAAA",'.repeat(1_001)}""]}`,
      "more than 1000 pictures",
    ],
    ["one with megabytes beside its pictures", `{"info":"${"x".repeat(9 * 1024 * 1024)}"}`, "beside its pictures"],
    ["one with an endless URL", `{"images":["https://${"x".repeat(10_000)}"]}`, "URL in it is too long"],
  ])("%s", async (_what, text, message) => {
    using place = folder();
    await expect(read(place.path, text)).rejects.toThrow(message);
    expect(readdirSync(place.path)).toEqual([]);
  });
});
