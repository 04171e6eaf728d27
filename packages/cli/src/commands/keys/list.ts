import type { V2ApiKey } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";
import { table } from "../../terminal/table.ts";

export function addKeysList(keys: Command, context: CliContext): void {
  keys
    .command("list")
    .description("list all keys, newest first, without their secrets")
    .addHelpText("after", "\nExamples:\n  genai-cli keys list\n  genai-cli keys list --json | jq -r '.[].id'")
    .action(async (_flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.listKeys();
      context.stdout.write(settings.json ? `${JSON.stringify(body.keys)}\n` : table(HEAD, body.keys.map(row)));
    });
}

const HEAD = ["ID", "USER", "NAME", "ROLE", "WEIGHT", "STATE"] as const;

function row(key: V2ApiKey): readonly string[] {
  const state = key.revokedAt !== null ? "revoked" : key.expiresAt === null ? "live" : `until ${key.expiresAt}`;
  return [key.id, key.user, key.name, key.role, String(key.weight ?? 1), state];
}
