import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root, until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");

/** The commands of the README that talk to a running server, each with the answer that is printed below it, or null. */
const conversations = [...readme.matchAll(/```sh\n((?:(?!```)[\s\S])*?)```(?:\n```json\n([\s\S]*?)```)?/g)]
  .map(([, command = "", answer]) => ({ command, answer: answer ?? null }))
  .filter(({ command }) => /curl|generate/.test(command));

test("the README's commands work as they stand and give the answers printed below them", async () => {
  await using service = await Service.start();
  const folder = join(service.home, "reader");
  mkdirSync(folder);
  symlinkSync(service.home, join(folder, ".genai"));
  symlinkSync(join(root, "packages"), join(folder, "packages"));
  expect(conversations.filter(({ answer }) => answer !== null)).toHaveLength(7);

  const known = new Map<string, string>();
  for (const { command, answer } of conversations) {
    let text = command.replaceAll("http://localhost:8080", service.url);
    for (const [printed, real] of known) text = text.replaceAll(printed, real);
    const prelude = `set -e\nexport GENAI_SERVER=${service.url} GENAI_HOME=.genai TOKEN=$(cat .genai/admin.key)\n`;
    const { stdout } = await promisify(execFile)("bash", ["-c", prelude + text], { cwd: folder, timeout: 60_000 });
    if (answer === null) continue;
    const [id, realId] = [answer, stdout].map((text) => (JSON.parse(text) as { task_id?: string }).task_id);
    if (id !== undefined && realId !== undefined) {
      known.set(id, realId);
      await until(`task ${realId} has ended`, async () =>
        /SUCCESS|FAILED/.test(await (await service.get(`/v1/tasks/${realId}`)).text()),
      );
    }
    // A list holds whatever was made before: its entries are compared in their shape.
    if (/"count"/.test(answer)) expect(entriesOf(stdout)).toEqual(expect.arrayContaining(entriesOf(answer)));
    else expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(JSON.parse(answer)));
  }
  expect(existsSync(join(folder, "fox.png"))).toBe(true);
}, 120_000);

test("every page and folder that the README links to is there", () => {
  const targets = [...readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
  expect(targets.length).toBeGreaterThan(20);
  expect(targets.filter((target) => !existsSync(join(root, target)))).toEqual([]);
});

test("every script that the README names is there", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, name = ""]) => name);
  expect(named.filter((name) => !["run", "through"].includes(name) && scripts[name] === undefined)).toEqual([]);
});

/** What is the same for every reader: ids, ports and signatures are not. */
function shapeOf(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/(https?|ws):\/\/[^/"]+/g, "$1://HOST")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID")
    .replaceAll(/expires=\d+&signature=[\w-]+/g, "expires=N&signature=S");
  return JSON.parse(text);
}

function entriesOf(list: string): unknown[] {
  const { count, data } = JSON.parse(list) as { count: number; data: Record<string, unknown> };
  expect(Object.keys(data)).toHaveLength(count);
  return Object.values(data).map(shapeOf);
}
