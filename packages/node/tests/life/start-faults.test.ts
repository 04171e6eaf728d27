import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { NodeProcess } from "../support/node-process.ts";

test("a home that can't be used, and a log level that there is not, end the node with one sentence", async () => {
  const folder = mkdtempSync(join(tmpdir(), "genai-node-files-"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  const odd = join(folder, "odd");
  mkdirSync(join(odd, "node-id"), { recursive: true });
  const starts = [
    { home: file, why: `${file} is not a folder` },
    { home: join(file, "home"), why: `${join(file, "home")} or what is above it is not a folder` },
    { home: odd, why: "a folder is in it where a file should be" },
  ];
  for (const { home, why } of starts) {
    const node = new NodeProcess(["-t", "test", "-b", "ws://127.0.0.1:9"], { home });
    expect(await node.ended()).toBe(1);
    const sentence = `The node can't use ${home} as its home (--home or GENAI_NODE_HOME): ${why}.\n`;
    expect(node.program.output).toBe(sentence);
  }
  await using node = new NodeProcess(["-t", "test", "-b", "ws://127.0.0.1:9"], { env: { LOG_LEVEL: "foo" } });
  expect(await node.ended()).toBe(1);
  expect(node.program.output).toBe(
    'LOG_LEVEL is "foo"; it must be one of fatal, error, warn, info, debug, trace, silent.\n',
  );
  rmSync(folder, { recursive: true });
}, 60_000);
