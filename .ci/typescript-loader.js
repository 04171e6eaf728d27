import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export async function resolve(specifier, context, next) {
  if (!specifier.startsWith("@genai/")) return next(specifier, context);
  return next(specifier, { ...context, conditions: ["@genai/source", ...context.conditions] });
}

export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const { transform } = await import("@swc/core");
  const path = fileURLToPath(url);
  const { code } = await transform(await readFile(path, "utf8"), {
    filename: path,
    sourceMaps: "inline",
    jsc: { target: "es2023", parser: { syntax: "typescript" } },
    module: { type: "es6" },
  });
  return { format: "module", source: code, shortCircuit: true };
}
