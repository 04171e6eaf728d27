import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { nodeProgram } from "../src/command-line/flags.ts";
import { ENGINE_MATRIX } from "./support/engine-matrix.ts";

const PAGE = readFileSync(new URL("../../../docs/node.md", import.meta.url), "utf8");

const README = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** Rows of a page's tables, cell by cell, without the code marks. */
function rowsOf(page: string): string[][] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
}

const ROWS = rowsOf(PAGE);

test.each([
  ["docs/node.md", ROWS],
  ["README.md", rowsOf(README)],
])("the matrix of engines in %s is what the contract suite tests", (_page, rows) => {
  const header = rows.find(([first]) => first === "engine") ?? [];
  const table = Object.fromEntries(
    Object.keys(ENGINE_MATRIX).map((engine) => {
      const row = rows.find(([first]) => first === engine) ?? [];
      return [engine, Object.fromEntries(header.slice(1).map((ability, n) => [ability, row[n + 1] === "yes"]))];
    }),
  );
  expect(table).toEqual(ENGINE_MATRIX);
});

test("the page tells every flag with its variable and its default, and no other", () => {
  const told = ROWS.filter(([first]) => first?.startsWith("-")).map(([flag, variable, value]) => ({
    flag,
    variable,
    value,
  }));
  const options = nodeProgram(() => Promise.resolve()).options;
  expect(told.map(({ flag }) => flag).sort()).toEqual(options.map(({ flags }) => flags).sort());
  for (const { flags, envVar = "", defaultValue } of options) {
    const row = told.find(({ flag }) => flag === flags);
    expect({ flags, variable: row?.variable }).toEqual({ flags, variable: envVar });
    // Where the default is not a value, the page says in words what it is.
    const isValue = ["string", "number"].includes(typeof defaultValue);
    if (isValue) expect({ flags, value: row?.value }).toEqual({ flags, value: String(defaultValue) });
    else expect(row?.value).not.toMatch(/^\d/);
  }
});

test("--help tells every flag and shows examples", () => {
  const program = nodeProgram(() => Promise.resolve());
  let help = "";
  program.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  for (const { flags } of program.options) expect(help).toContain(flags);
  expect(help).toContain("Examples:");
  expect(help).toContain("SIGTERM");
});

test("flags that can't be right are refused with a sentence", async () => {
  const refusal = async (...flags: string[]): Promise<string> => {
    let said = "";
    const program = nodeProgram(() => Promise.resolve())
      .exitOverride()
      .configureOutput({ writeErr: (text) => (said += text) });
    await program.parseAsync(["-b", "ws://127.0.0.1:1", ...flags], { from: "user" }).catch(() => {});
    return said;
  };
  expect(await refusal("-b", "http://x")).toContain("It must be a ws:// or wss:// URL.");
  expect(await refusal("-i", "ftp://x")).toContain("It must be an http:// or https:// URL.");
  expect(await refusal("-t", "magic")).toContain("Allowed choices are automatic, voltaml, comfyUI, test.");
  expect(await refusal("--slots", "65")).toContain("It must be a whole number from 1 to 64.");
  expect(await refusal("--min-cost", "-1")).toContain("It must be a number from 0");
  expect(await refusal("--status-port", "70000")).toContain("It must be a whole number from 0 to 65535.");
  expect(await refusal("--node-id", "")).toContain("It must have 1 to 256 characters.");
  expect(await refusal("--slots", "2")).toBe("");
});
