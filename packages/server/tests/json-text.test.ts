import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { readJson } from "../src/json-text.ts";

const SEED = Number(process.env.SEED ?? 1);

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test("a hundred levels are read, one more is not", () => {
  expect(readJson(nested(100))).toMatchObject({ ok: true });
  expect(readJson(nested(101))).toEqual({ ok: false, message: "the JSON is nested deeper than 100" });
  expect(readJson(`${'{"a":'.repeat(101)}1${"}".repeat(101)}`)).toMatchObject({ ok: false });
});

test("a hundred thousand commas are read, one more is not", () => {
  expect(readJson(`[${"1,".repeat(100_000)}1]`)).toMatchObject({ ok: true });
  expect(readJson(`[${"1,".repeat(100_001)}1]`)).toEqual({
    ok: false,
    message: "the JSON has more than 100000 values",
  });
});

test("what stands in a string counts for nothing, however it is escaped", () => {
  const brackets = "[{,".repeat(100_001);
  for (const escaped of ['\\"', "\\\\", '\\\\\\"', `${"x".repeat(40)}\\"`, "\\".repeat(80), "€"]) {
    const text = `["${escaped}${brackets}${escaped}${brackets}"]`;
    expect(readJson(text)).toEqual({ ok: true, value: JSON.parse(text) });
    // The string ends before the brackets: what follows counts.
    expect(readJson(`["${escaped}",${nested(100)}]`)).toEqual({
      ok: false,
      message: expect.stringContaining("deeper"),
    });
  }
});

test("every text that JSON.parse reads is read alike, behind so many brackets in a string that all of it is looked at", () => {
  const text = fc.stringMatching(/^["\\,{}[\] x€]*$/, { maxLength: 200 });
  const property = fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 5 }), text, (value, string) => {
    const written = JSON.stringify(["{".repeat(101), string, value, { [string]: value }]);
    const expected = JSON.parse(written, (key, each) => (key === "__proto__" ? undefined : each));
    expect(readJson(written)).toEqual({ ok: true, value: expected });
  });
  fc.assert(property, { seed: SEED, numRuns: 500 });
});
