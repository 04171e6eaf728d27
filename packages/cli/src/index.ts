export type { CliContext, Output } from "./cli-context.ts";
export { CliError, type ExitCode, exitCodes } from "./cli-error.ts";
export { runCli } from "./run-cli.ts";
