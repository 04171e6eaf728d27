import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

/** The string literals of a union type in a source file. */
function literalsOf(file: string, type: string): string[] {
  const text = readFileSync(new URL(`../src/${file}`, import.meta.url), "utf8");
  const union = text.split(`export type ${type} =`)[1]?.split(";")[0] ?? "";
  return [...union.matchAll(/"([a-z_]+)"/g)].map(([, literal = ""]) => literal);
}

test("the page for operators explains exactly the reasons that a provider can be given", () => {
  const page = readFileSync(new URL("../../../docs/dispatch.md", import.meta.url), "utf8");
  const explained = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code = ""]) => code);
  const codes = [
    ...literalsOf("reading/explanation.ts", "ReasonCode"),
    ...literalsOf("placement/mismatch.ts", "Mismatch"),
  ];
  expect(codes).toContain("model_missing");
  expect(codes).toContain("busy");
  expect(explained.sort()).toEqual(codes.sort());
});
