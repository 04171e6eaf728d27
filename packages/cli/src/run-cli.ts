import { CommanderError } from "commander";
import type { CliContext } from "./cli-context.ts";
import { CliError, EXIT_CODES, type ExitCode } from "./cli-error.ts";
import { createProgram } from "./program.ts";
import { apiError } from "./server/api-error.ts";

const INTERRUPTED = new CliError("interrupted", "Interrupted before the server answered.");

/** Runs one command line, without the program's own name, and returns its exit code. What the world does wrong is one sentence on
 *  standard error, or a line of JSON with --json; a bug of ours is thrown. */
export async function runCli(args: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    await createProgram(context).parseAsync([...args], { from: "user" });
    return EXIT_CODES.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
    const told = error instanceof CliError ? error : context.signal.aborted ? INTERRUPTED : apiError(error);
    if (told === null) throw error;
    const json = args.includes("--json");
    context.stderr.write(json ? `${JSON.stringify({ error: told.message })}\n` : `genai-cli: ${told.message}\n`);
    return told.exitCode;
  }
}
