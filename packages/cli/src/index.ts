export type { CliContext, Output } from "./cli-context.ts";
export { CliError, EXIT_CODES, type ExitCode } from "./cli-error.ts";
export { runCli } from "./run-cli.ts";
