import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { FakeAutomatic } from "../support/fake-automatic.ts";
import { FakeComfyUi } from "../support/fake-comfy-ui.ts";
import { NodeProcess } from "../support/node-process.ts";
import { plainPng } from "../support/pictures.ts";
import { StandInServer } from "../support/stand-in-server.ts";

const MIB = 1024 * 1024;
const PICTURE_BYTES = 50 * MIB;
const MOST_BYTES = 200 * MIB;
const TASKS = 2;
const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 32, height: 32, steps: 2 } as const;

/** The most memory that a process has had, in bytes, by the kernel's count. */
function mostMemory(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

const uploads = (comfy: FakeComfyUi): readonly Buffer[] =>
  [...comfy.uploads].filter(([name]) => name.startsWith("genai-")).map(([, bytes]) => bytes);

const initImages = (automatic: FakeAutomatic): readonly Buffer[] =>
  automatic.posted.map(({ body }) => Buffer.from(String((body.init_images as string[])[0]), "base64"));

test.each(["comfyUI", "automatic"] as const)(
  "pictures of 50 MB go through the node to %s and back, whole, in under 200 MB of memory",
  async (type) => {
    await using server = await StandInServer.start();
    await using fake = type === "comfyUI" ? await FakeComfyUi.start("new") : await FakeAutomatic.start("forge");
    const png = await plainPng(32, 32);
    const image = Buffer.concat([png, Buffer.alloc(PICTURE_BYTES, 7)]);
    if (fake instanceof FakeComfyUi) fake.pictureBytes = PICTURE_BYTES;
    else fake.pictureText = image.toString("base64");
    await using node = new NodeProcess(["-t", type, "-i", fake.url, "-b", server.backend]);
    await server.frame("register");
    for (let n = 0; n < TASKS; n++) {
      const attemptId = randomUUID();
      server.taskToFetch(attemptId, { ...STANDARD, seed: n, image: { base64: image.toString("base64") } });
      const result = await server.frame("result", (frame) => frame.attemptId === attemptId, 90_000);
      expect(result.artifacts[0]?.bytes).toBeGreaterThanOrEqual(PICTURE_BYTES);
      expect(server.uploads.get(`${attemptId}/0`)?.length).toBe(result.artifacts[0]?.bytes);
      server.uploads.clear();
      server.pipelines.clear();
    }
    const bytes = mostMemory(node.program.pid);
    console.info(
      `${type}, ${TASKS} pictures of 50 MiB in and out: the node had at most ${Math.round(bytes / MIB)} MiB`,
    );
    expect(bytes).toBeLessThan(MOST_BYTES);
    const arrived = fake instanceof FakeComfyUi ? uploads(fake) : initImages(fake);
    expect(arrived).toHaveLength(TASKS);
    for (const each of arrived) expect(each.equals(image)).toBe(true);
  },
  240_000,
);
