import { expect, test } from "@jest/globals";
import { z } from "zod";
import { fieldErrors, fieldSentence } from "../../src/http/field-errors.ts";
import { issueWords } from "../../src/http/issue-words.ts";

const Picture = z.object({
  prompt: z.string().min(1).max(3),
  steps: z.int().min(1).max(50),
  width: z.number().multipleOf(8),
  strength: z.number().gt(0).lt(1),
  mode: z.enum(["fast", "fine"]),
  pipeline: z.discriminatedUnion("type", [
    z.object({ type: z.literal("standard") }),
    z.object({ type: z.literal("comfy") }),
  ]),
  seed: z.union([z.int(), z.literal("random")]),
  models: z.array(z.string()).min(1),
  webhook: z.url(),
  deadlineAt: z.iso.datetime(),
  name: z.string().regex(/^[a-z]+$/, "must be lower-case letters"),
});

const GOOD = {
  prompt: "a",
  steps: 1,
  width: 8,
  strength: 0.5,
  mode: "fast",
  pipeline: { type: "comfy" },
  seed: 1,
  models: ["a"],
  webhook: "https://a.example",
  deadlineAt: "2026-01-31T12:00:00Z",
  name: "a",
};

test.each<[Record<string, unknown>, string]>([
  [{ prompt: undefined }, "prompt: is missing"],
  [{ prompt: 5 }, "prompt: must be a string"],
  [{ prompt: "" }, "prompt: must have at least 1 character"],
  [{ prompt: "abcd" }, "prompt: must have at most 3 characters"],
  [{ steps: 1.5 }, "steps: must be a whole number"],
  [{ steps: 0 }, "steps: must be at least 1"],
  [{ steps: 51 }, "steps: must be at most 50"],
  [{ width: 7 }, "width: must be a multiple of 8"],
  [{ strength: 0 }, "strength: must be more than 0"],
  [{ strength: 1 }, "strength: must be less than 1"],
  [{ mode: "slow" }, "mode: must be one of fast, fine"],
  [{ mode: undefined }, "mode: is missing"],
  [{ pipeline: { type: "dream" } }, "pipeline.type: must be one of standard, comfy"],
  [{ pipeline: [] }, "pipeline: must be an object"],
  [{ seed: true }, "seed: is of no known form"],
  [{ models: [] }, "models: must have at least 1 entry"],
  [{ models: "a" }, "models: must be a list"],
  [{ webhook: "x" }, "webhook: must be a URL"],
  [{ deadlineAt: "soon" }, "deadlineAt: must be an instant in UTC, such as 2026-01-31T12:00:00Z"],
  [{ name: "A" }, "name: must be lower-case letters"],
  [{ prompt: 5, steps: 0 }, "prompt: must be a string; steps: must be at least 1"],
])("%j is refused with: %s", (wrong, sentence) => {
  const result = Picture.safeParse({ ...GOOD, ...wrong }, { error: issueWords });
  expect(result.error && fieldSentence(fieldErrors(result.error))).toBe(sentence);
});
