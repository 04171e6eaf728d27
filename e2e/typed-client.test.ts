import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ApiProblem, ApiUnreachable, createClient } from "@genai/protocol/client";
import { root } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

const example = join(root, "e2e/examples/typed-client.ts");

test("the example of the client's page is the one that is run here", () => {
  const page = readFileSync(join(root, "packages/protocol/README.md"), "utf8");
  expect(/```ts\n([\s\S]*?)```/.exec(page)?.[1]).toBe(readFileSync(example, "utf8"));
});

test("the client's example makes a picture, by the package as it is published", async () => {
  await using service = await Service.start();
  // It has no types of its own, so plain node takes it, and resolves the package as anybody's node would.
  const code = readFileSync(example, "utf8");
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
    cwd: join(root, "e2e"),
    env: { PATH: process.env.PATH, GENAI_SERVER: service.url, GENAI_TOKEN: service.adminKey },
    timeout: 60_000,
  });
  expect(stdout.split("\n").slice(0, 3)).toEqual(["queued", "running", "succeeded"]);
  expect(stdout).toMatch(/image\/png, 256 × 256, \d+ bytes\n$/);
}, 60_000);

test("the client tells refusals by their codes, and goes on following over a restart of the server", async () => {
  await using service = await Service.start({ nodes: 0 });
  const genai = createClient({ server: service.url, token: service.adminKey });
  const taskId = "0199a0b0-0000-7000-8000-000000000000";
  await expect(genai.getTask({ params: { taskId } })).rejects.toMatchObject({
    name: "ApiProblem",
    code: "task_not_found",
  });
  const stranger = createClient({ server: service.url });
  await expect(stranger.listTasks()).rejects.toBeInstanceOf(ApiProblem);
  const { status, body: task } = await genai.createTask({ body: { pipeline: { type: "standard", prompt: "a fox" } } });
  expect([status, task.blocked?.reasons]).toEqual([201, []]);
  const states: string[] = [];
  for await (const event of genai.follow(task.id)) {
    if (event.type !== "state") continue;
    states.push(`${event.id} ${event.data.state}`);
    if (event.data.state !== "queued") continue;
    await service.server.end("SIGKILL");
    await service.startServer();
    await genai.cancelTask({ params: { taskId: task.id } });
  }
  expect(states).toEqual(["1 queued", "2 canceled"]);
  const { body: page } = await genai.listTasks({ query: { limit: 1, state: "canceled" } });
  expect(page.tasks.map(({ id }) => id)).toEqual([task.id]);
  await service.server.end("SIGKILL");
  await expect(genai.getUsage()).rejects.toBeInstanceOf(ApiUnreachable);
}, 60_000);
