import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { fetchPipeline } from "../src/fetch-pipeline.ts";
import { type FakeAnswer, FaultyHttpServer } from "./support/faulty-http-server.ts";
import { plainPng } from "./support/pictures.ts";

const STANDARD = { type: "standard", prompt: "a fox", model: "" } as const;

async function setup(answer: FakeAnswer | string) {
  const server = await FaultyHttpServer.start(
    typeof answer === "string" ? (_request, response) => void response.end(answer) : answer,
  );
  const folder = mkdtempSync(join(tmpdir(), "genai-pipeline-"));
  return {
    server,
    folder,
    fetch: () => fetchPipeline(`${server.url}/p`, folder, AbortSignal.timeout(10_000)),
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("the input picture of a standard task goes to a file, the rest is the pipeline", async () => {
  const image = await plainPng(20, 10);
  const sent = { ...STANDARD, image: { base64: image.toString("base64"), mime: "image/png" }, strength: 0.5 };
  await using bundle = await setup(JSON.stringify(sent));
  const { pipeline, inputs } = await bundle.fetch();
  expect(pipeline).toEqual({ ...sent, image: { base64: "", mime: "image/png" } });
  expect(inputs.images.size).toBe(0);
  expect(inputs.image === null ? null : readFileSync(inputs.image)).toEqual(image);
});

test("the pictures of a graph go to files by their names; texts of the graph that look like them stay", async () => {
  const image = await plainPng(20, 10);
  const workflow = { "1": { class_type: "X", inputs: { images: "AAAA", image: { base64: "AAAA" } } } };
  const images = {
    "cat.png": image.toString("base64"),
    'a "quoted" näme': `data:image/png;base64,${image.toString("base64")}`,
  };
  await using bundle = await setup(JSON.stringify({ type: "comfy", workflow, images }));
  const { pipeline, inputs } = await bundle.fetch();
  expect(pipeline).toMatchObject({ type: "comfy", workflow });
  expect([...inputs.images.keys()]).toEqual(Object.keys(images));
  for (const file of inputs.images.values()) expect(readFileSync(file)).toEqual(image);
});

test("v1's own text of pictures stays as it is", async () => {
  const images = JSON.stringify({ "cat.png": "AAAA" });
  await using bundle = await setup(JSON.stringify({ type: "comfy", workflow: "{}", images }));
  const { pipeline, inputs } = await bundle.fetch();
  expect(pipeline).toEqual({ type: "comfy", workflow: "{}", images });
  expect(inputs.images.size).toBe(0);
  expect(readdirSync(bundle.folder)).toEqual([]);
});

test.each([
  [{ ...STANDARD, image: { base64: "!!! not base64 !!!" } }, "The input image is no base64."],
  [{ ...STANDARD, image: { base64: "" } }, "The input image is no base64."],
  [{ type: "comfy", workflow: {}, images: { "a.png": "AAAA*AAA" } }, 'The image "a.png" is no base64.'],
])("%j is refused as the task's fault", async (sent, message) => {
  await using bundle = await setup(JSON.stringify(sent));
  await expect(bundle.fetch()).rejects.toThrow(message);
});

test("a server that does not give it, or gives something else, is told as what it is", async () => {
  await using gone = await setup((_request, response) => void response.writeHead(410).end("gone"));
  await expect(gone.fetch()).rejects.toThrow("The server answered 410 when the pipeline was fetched.");
  await using other = await setup('{"type":"something"}');
  await expect(other.fetch()).rejects.toThrow();
  await using cut = await setup(JSON.stringify(STANDARD));
  cut.server.faults.push({ path: /./, kind: "cut" });
  await expect(cut.fetch()).rejects.toThrow();
});
