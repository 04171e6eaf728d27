import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readInputImage } from "../../src/engines/input-image.ts";
import { plainPng } from "../support/pictures.ts";

test("an input picture that claims more pixels than an engine should be given is the task's fault, wherever it comes from", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-input-"));
  const bomb = await plainPng(8, 8);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  const file = join(folder, "bomb");
  await writeFile(file, bomb);
  const { signal } = new AbortController();
  const nothing = () => Promise.reject(new Error("nothing is fetched here"));
  const read = [
    readInputImage({ base64: bomb.toString("base64") }, undefined, nothing, signal),
    readInputImage({ url: "https://example.com/bomb.png" }, undefined, async () => bomb, signal),
    readInputImage({ base64: "AAAA" }, { image: file, images: new Map() }, nothing, signal),
  ];
  for (const each of read) {
    await expect(each).rejects.toThrow("The input image claims 60000 × 60000 pixels; 1 to 268435456 are taken.");
  }
  const good = await plainPng(8, 8);
  expect(await readInputImage({ base64: good.toString("base64") }, undefined, nothing, signal)).toEqual(good);
  await rm(folder, { recursive: true });
});
