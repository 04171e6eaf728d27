import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { runCli } from "@genai/cli";

/** Runs a command line of genai-cli without a process of its own, which takes a hundredth of the time; `output` holds both of its streams. */
export async function cliInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly output: string }> {
  const stream = new PassThrough();
  const output = text(stream);
  const code = await runCli(args, {
    env: { HOME: "/nonexistent", ...env },
    stdout: stream,
    stderr: stream,
    invocation: "genai-cli",
    signal: new AbortController().signal,
  });
  stream.end();
  return { code, output: await output };
}
