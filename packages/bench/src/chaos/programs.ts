import { fileURLToPath } from "node:url";

const FROM_SOURCE = import.meta.url.endsWith(".ts");

/** The server's main file: built, or its source where this file is run from source, as tests do. */
export const SERVER_PROGRAM = fileURLToPath(
  new URL(FROM_SOURCE ? "../../../server/src/main.ts" : "../../../server/dist/main.js", import.meta.url),
);

/** Options of node itself that the programs need. */
export const PROGRAM_NODE_ARGS: readonly string[] = FROM_SOURCE
  ? ["--import", new URL("../../../../.ci/typescript-hooks.js", import.meta.url).href]
  : [];

/** A script of this folder, by its path without an ending. */
export function scriptOf(path: string): string {
  return fileURLToPath(new URL(`./${path}${FROM_SOURCE ? ".ts" : ".js"}`, import.meta.url));
}
