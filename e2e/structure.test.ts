import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "@genai/testing";
import { expect, test } from "@jest/globals";

/** Who may import whom. Imports of anything that a manifest does not name fail the lint, and the compiler refuses paths that leave a
 *  package; so it is enough that no manifest names more than this. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  tracing: [],
  dispatcher: ["protocol"],
  server: ["protocol", "dispatcher", "tracing"],
  node: ["protocol", "dispatcher", "tracing"],
  scaler: ["protocol", "dispatcher"],
  cli: ["protocol", "dispatcher"],
  testing: [],
  // Private: it measures all of them.
  bench: ["protocol", "dispatcher", "server", "node", "scaler", "cli", "testing"],
};
/** What the tests of every package may import beside. */
const TESTING = "testing";

const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
/** The packages of this repository among those that a manifest names. */
const ownOf = (named: object): readonly string[] =>
  Object.keys(named).flatMap((name) => (name.startsWith("@genai/") ? [name.slice("@genai/".length)] : []));

test("no package depends on one that it may not import", () => {
  for (const name of readdirSync(join(root, "packages"))) {
    const { dependencies = {}, devDependencies = {} } = readJson(`packages/${name}/package.json`);
    const allowed = MAY_IMPORT[name] ?? [];
    expect(Object.keys(MAY_IMPORT)).toContain(name);
    expect([name, ownOf(dependencies).filter((own) => !allowed.includes(own))]).toEqual([name, []]);
    const inTests = [...allowed, TESTING];
    expect([name, ownOf(devDependencies).filter((own) => !inTests.includes(own))]).toEqual([name, []]);
  }
});

test("nothing that is shipped imports what tests stand on", () => {
  for (const [name, allowed] of Object.entries(MAY_IMPORT)) {
    if (allowed.includes(TESTING)) continue;
    const folder = join(root, "packages", name, "src");
    const importers = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".ts") && readFileSync(join(folder, file), "utf8").includes(`"@genai/${TESTING}`),
    );
    expect([name, importers]).toEqual([name, []]);
  }
});

test("the lint refuses what a manifest does not name, circles, and promises that nobody awaits", () => {
  const { linter } = readJson("biome.json");
  expect(linter.rules.correctness.noUndeclaredDependencies).toBe("error");
  expect(linter.rules.suspicious.noImportCycles).toBe("error");
  expect(linter.rules.nursery.noFloatingPromises).toBe("error");
});

test("the dispatcher's core sees no clock, no timers and no Node", () => {
  const { compilerOptions } = readJson("packages/dispatcher/tsconfig.json");
  expect(compilerOptions.types).toEqual([]);
  expect(compilerOptions.lib).toEqual(["es2023"]);
  expect(readJson("packages/dispatcher/package.json").dependencies).toEqual({});
});

test("the top of the repository holds what it should and no more", () => {
  const ignored = new Set(["node_modules", ".git", ".genai", "demo.png", "coverage"]);
  const found = readdirSync(root).filter((name) => !ignored.has(name));
  const expected = [
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "SECURITY.md",
  ]
    .concat([
      "biome.json",
      "docker",
      "docker-compose.yml",
      "docs",
      "e2e",
      "jest.config.js",
      "knip.json",
      "package.json",
    ])
    .concat(["packages", "pnpm-lock.yaml", "pnpm-workspace.yaml", "protos"])
    .concat(["tsconfig.base.json", "tsconfig.json", "tsconfig.tests.json"]);
  expect(found.filter((name) => !expected.includes(name))).toEqual([]);
});
