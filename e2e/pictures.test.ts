import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

interface Task {
  readonly state: string;
  readonly result: { readonly artifacts: readonly { url: string; width: number; height: number; sha256: string }[] };
}

test("two prompts give two pictures, the same prompt and seed the same bytes, in the size and number asked for", async () => {
  await using service = await Service.start();
  const draw = async (prompt: string, seed: number, count = 1): Promise<Buffer[]> => {
    const pipeline = { type: "standard", prompt, seed, count, width: 320, height: 192, steps: 6 };
    const answer = await service.post("/v2/tasks", { pipeline }, { prefer: "wait=60" });
    const task = (await answer.json()) as Task;
    expect(task.state).toBe("succeeded");
    return Promise.all(
      task.result.artifacts.map(async ({ url, width, height, sha256 }) => {
        const bytes = Buffer.from(await (await fetch(new URL(url, service.url))).arrayBuffer());
        expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
        expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([width, height]);
        expect([width, height]).toEqual([320, 192]);
        return bytes;
      }),
    );
  };
  const [fox] = await draw("a red fox in the snow", 7);
  const [foxAgain] = await draw("a red fox in the snow", 7);
  const [otherSeed] = await draw("a red fox in the snow", 8);
  const [harbour] = await draw("a harbour at night", 7);
  const three = await draw("a lighthouse", 7, 3);
  expect(foxAgain?.equals(fox ?? Buffer.alloc(0))).toBe(true);
  expect(three).toHaveLength(3);
  const pictures = [fox, otherSeed, harbour, ...three].map((bytes) => bytes?.toString("base64"));
  expect(new Set(pictures).size).toBe(6);
}, 60_000);
