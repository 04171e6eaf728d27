import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { FakeAutomatic } from "../support/fake-automatic.ts";
import { FakeComfyUi } from "../support/fake-comfy-ui.ts";
import { NodeProcess } from "../support/node-process.ts";
import { plainPng } from "../support/pictures.ts";
import { StandInServer } from "../support/stand-in-server.ts";

const MIB = 1024 * 1024;
const PICTURE_BYTES = 50 * MIB;
const MOST_BYTES = 200 * MIB;
const TASKS = 4;
const STANDARD = { type: "standard", prompt: "a fox", model: "", width: 32, height: 32, steps: 2 } as const;

/** The built program: the hooks that run sources unbuilt need memory of their own. */
const BUILT = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** The most memory that a process has had, in bytes, by the kernel's count. */
function mostMemory(pid: number | undefined): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

async function carry(type: string, engineUrl: string): Promise<number> {
  await using server = await StandInServer.start();
  await using node = new NodeProcess(["-t", type, "-i", engineUrl, "-b", server.backend], { main: BUILT });
  await server.frame("register");
  for (let n = 0; n < TASKS; n++) {
    const attemptId = randomUUID();
    server.task(attemptId, { ...STANDARD, seed: n });
    const result = await server.frame("result", (frame) => frame.attemptId === attemptId, 60_000);
    expect(result.artifacts[0]?.bytes).toBeGreaterThanOrEqual(PICTURE_BYTES);
    expect(server.uploads.get(`${attemptId}/0`)?.length).toBe(result.artifacts[0]?.bytes);
    server.uploads.clear();
  }
  return mostMemory(node.child.pid);
}

test("pictures of 50 MB from ComfyUI go through the node in under 200 MB of memory", async () => {
  expect(existsSync(BUILT)).toBe(true);
  await using comfy = await FakeComfyUi.start("new");
  comfy.pictureBytes = PICTURE_BYTES;
  const bytes = await carry("comfyUI", comfy.url);
  console.info(`ComfyUI, ${TASKS} pictures of 50 MiB: the node had at most ${Math.round(bytes / MIB)} MiB`);
  expect(bytes).toBeLessThan(MOST_BYTES);
}, 120_000);

test("pictures of 50 MB in base64 from Automatic1111 go through the node in under 200 MB of memory", async () => {
  await using automatic = await FakeAutomatic.start("forge");
  const png = await plainPng(32, 32);
  automatic.pictureText = Buffer.concat([png, Buffer.alloc(PICTURE_BYTES)]).toString("base64");
  const bytes = await carry("automatic", automatic.url);
  console.info(`Automatic1111, ${TASKS} pictures of 50 MiB: the node had at most ${Math.round(bytes / MIB)} MiB`);
  expect(bytes).toBeLessThan(MOST_BYTES);
}, 120_000);
