import { rm } from "node:fs/promises";
import type { EngineArtifact } from "./engine.ts";
import { EngineHttpError } from "./engine-http-error.ts";
import type { JsonPicture } from "./json-picture-reader.ts";

/** The pictures of an answer as artifacts. Rejects, and removes all, where one of them is no picture. */
export async function drawnFiles(pictures: readonly JsonPicture[]): Promise<EngineArtifact[]> {
  const artifacts: EngineArtifact[] = [];
  for (const [n, picture] of pictures.entries()) {
    if (picture.type === "url" || picture.mime === null) {
      await discardPictures(pictures);
      const what = picture.type === "url" ? "a URL" : `${picture.bytes} bytes that are none`;
      throw new EngineHttpError(`The engine's answer has ${what} for picture ${n}.`, "wrong");
    }
    artifacts.push({ body: { file: picture.file }, mime: picture.mime });
  }
  return artifacts;
}

export async function discardPictures(pictures: readonly JsonPicture[]): Promise<void> {
  for (const picture of pictures) if (picture.type === "file") await rm(picture.file, { force: true });
}
