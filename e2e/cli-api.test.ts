import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { V2Explanation, V2Task } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { cliInProcess } from "./support/cli-in-process.ts";
import { Service } from "./support/service.ts";

const EXITS = { done: 0, failed: 1, usage: 2, notFound: 3, refused: 4, away: 5 } as const;
const NOBODYS = "0199a0b0-0000-7000-8000-000000000000";

async function setup(nodes: number) {
  const service = await Service.start({ nodes });
  const cli = (...args: string[]) => cliInProcess(args, { GENAI_SERVER: service.url, GENAI_HOME: service.home });
  const json = async (...args: string[]): Promise<unknown> => JSON.parse((await cli(...args, "--json")).output);
  const create = async (body: object = { pipeline: { type: "standard", prompt: "a fox" } }): Promise<string> =>
    String(((await (await service.post("/v2/tasks", body)).json()) as { id: unknown }).id);
  return { service, cli, json, create, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

test("tasks are listed, shown, explained, canceled, done again and watched from a terminal", async () => {
  await using bundle = await setup(0);
  const { service, cli, json, create } = bundle;
  const id = await create();
  expect((await cli("tasks", "list")).output).toMatch(new RegExp(`^ID +STATE .*\\n${id} +queued `));
  expect((await cli("tasks", "show", id)).output).toMatch(/waits for +No node is connected; it waits for one\./);
  expect(V2Task.parse(await json("tasks", "show", id)).state).toBe("queued");
  expect((await cli("tasks", "explain", id)).output).toBe("No node is connected; it waits for one.\nbefore it  0\n");
  expect(V2Explanation.parse(await json("tasks", "explain", id)).code).toBe("no_nodes");
  expect(await cli("tasks", "cancel", id)).toMatchObject({ code: EXITS.done, output: `${id} canceled\n` });
  expect(await cli("tasks", "watch", id)).toMatchObject({
    code: EXITS.failed,
    output: `${id} queued\n${id} canceled\ngenai-cli: Task ${id} ended: canceled.\n`,
  });
  const again = (await cli("tasks", "retry", id)).output.trim();
  service.startNode(["--node-id", "node-1"]);
  const watched = await cli("tasks", "watch", again);
  expect([watched.code, watched.output.trimEnd().split("\n").at(-1)]).toEqual([EXITS.done, `${again} succeeded`]);
  const shown = (await cli("tasks", "show", again)).output;
  expect(shown).toMatch(/ATTEMPT +NODE .*\n1 +node-1 +succeeded/);
  expect(shown).toMatch(/PICTURE +TYPE .*\n0 +image\/png +512x512 .*http/);
  expect(await json("tasks", "list", "--state", "canceled", "--limit", "5")).toMatchObject([{ id }]);
}, 90_000);

test("nodes, queue, models, usage and status are told, and an administrator drains", async () => {
  await using bundle = await setup(0);
  const { service, cli, json, create } = bundle;
  service.startNode(["--node-id", "node-1", "--models", "sd15", "xl"]);
  await service.nodesOnline(1);
  expect((await cli("nodes", "list")).output).toMatch(/^ID +STATE .*\nnode-1 +idle +test /);
  expect(await cli("nodes", "drain", "node-1")).toMatchObject({ code: EXITS.done, output: "node-1 draining\n" });
  const id = await create();
  expect((await cli("tasks", "explain", id)).output).toMatch(/node-1 .*is draining/);
  expect((await cli("queue")).output).toMatch(/^waiting +1 tasks, .*\nslots +1, 0 idle\nyours +1 waiting, 0 running/);
  expect(await json("queue")).toMatchObject({ waiting: 1, classes: [{ waiting: 1 }], users: [{ waiting: 1 }] });
  expect((await cli("status")).output).toMatch(/nodes +1 draining\n/);
  expect(await cli("nodes", "undrain", "node-1")).toMatchObject({ code: EXITS.done });
  expect((await cli("models")).output).toMatch(/^MODEL +NODES +WARM ON\nsd15 +1 +.*\nxl +1 +/);
  expect((await cli("tasks", "watch", id)).code).toBe(EXITS.done);
  expect((await cli("usage")).output).toMatch(/succeeded +1\n/);
  expect(await json("status")).toMatchObject({ ready: true, waiting: 0 });
}, 90_000);

test("what goes wrong is one sentence and an exit code", async () => {
  await using bundle = await setup(0);
  const { service, cli } = bundle;
  const stranger = await cliInProcess(["tasks", "list"], { GENAI_SERVER: service.url, GENAI_TOKEN: "nobody" });
  expect([stranger.code, stranger.output]).toEqual([
    EXITS.refused,
    expect.stringMatching(
      /^genai-cli: The server refused it: .*GENAI_TOKEN, or set GENAI_HOME to the server's folder\.\n$/,
    ),
  ]);
  expect((await cli("tasks", "show", NOBODYS)).code).toBe(EXITS.notFound);
  expect((await cli("tasks", "show", "7")).code).toBe(EXITS.usage);
  expect((await cli("tasks", "list", "--state", "sleeping")).code).toBe(EXITS.usage);
  expect((await cli("nodes", "drain", "nobody")).code).toBe(EXITS.notFound);
  expect((await cli("tasks")).code).toBe(EXITS.usage);
  const away = mkdtempSync(join(tmpdir(), "genai-away-"));
  const silent = await cliInProcess(["status", "--json"], { GENAI_SERVER: "http://127.0.0.1:1", GENAI_HOME: away });
  expect([silent.code, JSON.parse(silent.output)]).toEqual([
    EXITS.away,
    { error: expect.stringContaining("does not answer") },
  ]);
  rmSync(away, { recursive: true });
}, 60_000);

test.each([
  ["tasks", "list"],
  ["tasks", "show"],
  ["tasks", "cancel"],
  ["tasks", "retry"],
  ["tasks", "watch"],
  ["tasks", "explain"],
  ["nodes", "list"],
  ["nodes", "drain"],
  ["nodes", "undrain"],
  ["queue"],
  ["models"],
  ["usage"],
  ["status"],
])("genai-cli %s %s has a help with examples", async (...command) => {
  const { code, output } = await cliInProcess([...command.filter(Boolean), "--help"], {});
  expect([code, output]).toEqual([
    EXITS.done,
    expect.stringMatching(/Usage: genai-cli [\s\S]*Examples:\n {2}genai-cli /),
  ]);
});
