import { execFile } from "node:child_process";
import { mkdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root, until } from "@genai/testing";
import { docker } from "./docker.ts";

const buildMs = 240_000;

/** Names of our images. */
export interface LocalImages {
  readonly server: string;
  readonly scaler: string;
  readonly node: string;
}

/** Our images of the programs as they are built now, made from our Dockerfile once in a run of the tests and removed at its end. */
export async function localImages(): Promise<LocalImages> {
  const tag = process.env.GENAI_TEST_RUN;
  if (tag === undefined) throw new Error("engine-setup.ts did not run: it is jest's globalSetup.");
  const images = {
    server: `genai-local/server:${tag}`,
    scaler: `genai-local/scaler:${tag}`,
    node: `genai-local/node:${tag}`,
  };
  // One of several workers builds, the others wait for it.
  const lock = join(tmpdir(), `genai-images-${tag}`);
  await until(
    "the images are built by another worker",
    () =>
      mkdir(lock).then(
        () => true,
        () => false,
      ),
    buildMs,
  );
  try {
    const there = await docker("images", "--format", "{{.Repository}}:{{.Tag}}");
    if (Object.values(images).some((image) => !there.split("\n").includes(image))) {
      await promisify(execFile)(process.execPath, [join(root, "docker/build-local-images.js"), tag], {
        timeout: buildMs,
      });
    }
    return images;
  } finally {
    await rmdir(lock);
  }
}
