import { type Exit, Program } from "@genai/testing";

/** Runs genai-cli as a person does, in a process of its own; `output` holds both of its streams. */
export async function genaiCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Exit & { readonly output: string }> {
  await using cli = new Program("cli", { args, env: { HOME: "/nonexistent", ...env } });
  return { ...(await cli.exit), output: cli.output };
}
