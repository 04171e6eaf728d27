import { expect, test } from "@jest/globals";
import { ImagePolicy } from "../src/core/image-policy.ts";

test.each([
  ["**", "any/thing:1", true],
  ["genai/node", "genai/node", true],
  ["genai/node", "genai/node:1.2", true],
  ["genai/node", `genai/node@sha256:${"a".repeat(64)}`, true],
  ["genai/node", "genai/node-evil", false],
  ["genai/node", "evil/genai/node", false],
  ["genai/node", "evil.org/genai/node:1", false],
  ["genai/node:1", "genai/node:2", false],
  ["ghcr.io/ours/*", "ghcr.io/ours/node:1", true],
  ["ghcr.io/ours/*", "ghcr.io/ours/deep/node", false],
  ["ghcr.io/ours/**", "ghcr.io/ours/deep/node", true],
  ["ghcr.io/ours/*", "ghcr.io.evil.org/ours/node", false],
  ["ghcr.io/ours/*", "ghcrxio/ours/node", false],
])("pattern %s on image %s: %s", (pattern, image, allowed) => {
  const check = () => new ImagePolicy([pattern]).check(image);
  if (allowed) expect(check).not.toThrow();
  else expect(check).toThrow(/is not allowed here/);
});

test("without patterns nothing is allowed", () => {
  expect(() => new ImagePolicy([]).check("a")).toThrow("Image a is not allowed here: none is (IMAGE_ALLOW).");
});
