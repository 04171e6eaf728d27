import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";

export function addKeysRevoke(keys: Command, context: CliContext): void {
  keys
    .command("revoke <key-id>")
    .description("revoke a key")
    .addHelpText("after", "\nExamples:\n  genai-cli keys revoke 5f0c1f0e-6d4b-4a0e-9a55-0d0a1d2c3b4a")
    .action(async (keyId: string, _flags: unknown, command: Command) => {
      await connectServer(command, context).client.revokeKey({ params: { keyId } });
    });
}
