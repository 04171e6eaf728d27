import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { EXPLANATIONS, NODE_REASONS, V2Explanation } from "@genai/protocol";
import { root } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

const page = readFileSync(join(root, "docs/api.md"), "utf8");

/** The page's calls of a running server, each with the answer that is printed below it, or null. */
const calls = [...page.matchAll(/^( *)```sh\n([\s\S]*?)^ *```\n(?:\n *```json\n([\s\S]*?)^ *```)?/gm)]
  .map(([, indent = "", command = "", answer]) => ({
    command: command.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    answer: answer === undefined ? null : (JSON.parse(answer) as unknown),
  }))
  .filter(({ command }) => command.includes("curl"));

/** A value with what differs from run to run left out: times, ids, sizes. Words of states and codes stay. */
function shapeOf(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => shapeOf(each, name));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner, key)]));
  }
  return /^(state|code|status|message|detail|field|mime|width|height|prompt|order|eligible|engine|title|type)$/.test(
    name,
  )
    ? value
    : typeof value;
}

test("the page's calls work as they stand and give the answers printed below them", async () => {
  await using service = await Service.start({ nodes: 0 });
  service.startNode(["--node-id", "node-1"]);
  await service.nodesOnline(1);
  const folder = join(service.home, "reader");
  mkdirSync(folder);
  expect(calls.filter(({ answer }) => answer !== null)).toHaveLength(6);
  let task = "";
  for (const { command, answer } of calls) {
    const { stdout } = await promisify(execFile)("bash", ["-ec", command], {
      cwd: folder,
      env: { PATH: process.env.PATH, SERVER: service.url, TOKEN: service.adminKey, TASK: task },
      timeout: 60_000,
    });
    if (task === "") task = (JSON.parse(stdout) as { id: string }).id;
    if (answer !== null) expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(answer));
    else if (command.includes("/events")) expect(stdout).toMatch(/^id: 1\nevent: state\n[\s\S]*"state":"succeeded"/);
    else for (const line of stdout.trim().split(/(?<=\})(?=\{)/)) expect(JSON.parse(line)).not.toHaveProperty("code");
  }
}, 120_000);

test("the page sets $TASK to its first answer's task before it uses it", () => {
  const [first] = calls.map(({ answer }) => answer as { readonly id: string } | null);
  const id = first?.id ?? "";
  const isSetAt = page.indexOf(`\nexport TASK=${id}\n`);
  expect(isSetAt).toBeGreaterThan(page.indexOf(`"id": "${id}"`));
  expect(isSetAt).toBeLessThan(page.indexOf("$TASK"));
});

test("the page's tables of codes are the protocol's", () => {
  const table = (head: string) => {
    const rows = page.slice(page.indexOf(`| ${head}`)).split("\n\n")[0] ?? "";
    return Object.fromEntries([...rows.matchAll(/^\| `(\w+)` +\| (.*?) +\|$/gm)].map((match) => [match[1], match[2]]));
  };
  expect(table("code ")).toEqual(EXPLANATIONS);
  expect(table("reason of a node")).toEqual(NODE_REASONS);
});

test("the operator's page speaks of an explanation in the API's words", () => {
  const paragraph = /^For the task as a whole [\s\S]*?\n\n?$/m.exec(
    readFileSync(join(root, "docs/dispatch.md"), "utf8"),
  )?.[0];
  const words = [...(paragraph ?? "").matchAll(/`(\w+)`/g)].map(([, word]) => word);
  expect(words).toContain("blocked");
  expect([...Object.keys(EXPLANATIONS), ...Object.keys(V2Explanation.shape)]).toEqual(expect.arrayContaining(words));
});
