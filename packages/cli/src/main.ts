#!/usr/bin/env node
import { relative } from "node:path";
import { runCli } from "./run-cli.ts";

const script = process.argv[1] ?? "";
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  invocation: script.endsWith(".js") ? `node ${relative("", script)}` : "genai-cli",
  signal: interrupt.signal,
});
