import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openApiDocument } from "@genai/protocol";
import { root } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

const run = promisify(execFile);

/** A folder with the document as the server serves it. */
function setup(server = "http://127.0.0.1:8080") {
  const folder = mkdtempSync(join(tmpdir(), "genai-tools-"));
  const document = join(folder, "openapi.json");
  writeFileSync(document, JSON.stringify(openApiDocument({ version: "1.0.0", serverUrl: server })));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return { folder, document, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

const require = createRequire(import.meta.url);

/** A program of a package, as the `bin` of its manifest says. */
function programOf(manifest: string, bin: string): string {
  const { bin: programs } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: Record<string, string> };
  return join(dirname(manifest), programs[bin] ?? "");
}

test("Redocly's recommended rules find no error and nothing to warn of in the OpenAPI document", async () => {
  using bundle = setup();
  const args = [
    programOf(require.resolve("@redocly/cli/package.json"), "redocly"),
    "lint",
    bundle.document,
    "--format=json",
  ];
  const env = { PATH: process.env.PATH, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const { stdout } = await run(process.execPath, args, { cwd: bundle.folder, env, timeout: 60_000 });
  const { totals } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { totals: { errors: number; warnings: number } };
  console.info(`redocly lint: ${totals.errors} errors, ${totals.warnings} warnings`);
  expect(totals).toMatchObject({ errors: 0, warnings: 0 });
}, 60_000);

/** The example of docs/api.md, "Generated clients". */
function generatedExample(): string {
  const page = readFileSync(join(root, "docs/api.md"), "utf8");
  return /```ts\n( *import \{ Api \}[\s\S]*?)```/.exec(page)?.[1] ?? "";
}

test("a generator from npm makes a client of the document that compiles and runs the page's example", async () => {
  await using service = await Service.start();
  using bundle = setup(service.url);
  const generator = programOf(require.resolve("swagger-typescript-api/package.json"), "swagger-typescript-api");
  const args = [generator, "generate", "-p", bundle.document, "-o", bundle.folder, "-n", "api.ts"];
  await run(process.execPath, args, { cwd: bundle.folder, timeout: 60_000 });
  const example = join(bundle.folder, "example.ts");
  writeFileSync(example, generatedExample());
  const flags =
    "--noEmit --strict --skipLibCheck --allowImportingTsExtensions --target es2022 --module nodenext --types node";
  const compiler = createRequire(join(root, "package.json")).resolve("typescript/package.json");
  await run(
    process.execPath,
    [
      join(dirname(compiler), "bin/tsc"),
      ...flags.split(" "),
      "--typeRoots",
      join(root, "node_modules/@types"),
      example,
    ],
    { cwd: bundle.folder, timeout: 60_000 },
  );
  const { stdout } = await run(process.execPath, ["--import", join(root, ".ci/typescript-hooks.js"), example], {
    env: { PATH: process.env.PATH, GENAI_SERVER: service.url, GENAI_TOKEN: service.adminKey },
    timeout: 60_000,
  });
  expect(stdout).toMatch(/^succeeded\nimage\/png, 256 × 256, \d+ bytes\n$/);
}, 120_000);
