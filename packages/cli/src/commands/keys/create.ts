import type { CreateKeyBody } from "@genai/protocol";
import { type Command, Option } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { decimal, integer } from "../../flag-values.ts";
import { connectServer } from "../../server/connect-server.ts";
import { printable } from "../../terminal/table.ts";

interface CreateFlags {
  readonly name?: string;
  readonly admin?: boolean;
  readonly weight?: number;
  readonly queuedMax?: number;
  readonly runningMax?: number;
  readonly expires?: string;
}

export function addKeysCreate(keys: Command, context: CliContext): void {
  keys
    .command("create <user>")
    .description("create a key for a user and print its secret; shown only once")
    .option("--name <name>", "name shown in lists (default: the user)")
    .option("--admin", "give the key administrator rights")
    .addOption(new Option("--weight <n>", "the user's share relative to others").argParser(decimal))
    .addOption(new Option("--queued-max <n>", "maximum number of waiting tasks of the user").argParser(integer))
    .addOption(new Option("--running-max <n>", "maximum number of running tasks of the user").argParser(integer))
    .option("--expires <instant>", "when it expires, such as 2030-01-01T00:00:00Z")
    .addHelpText("after", "\nExamples:\n  genai-cli keys create shop --weight 2 --expires 2030-01-01T00:00:00Z")
    .action(async (user: string, flags: CreateFlags, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { key, secret } = (await client.createKey({ body: bodyOf(user, flags) })).body;
      if (settings.json) context.stdout.write(`${JSON.stringify({ key, secret })}\n`);
      else {
        context.stdout.write(`${secret}\n`);
        context.stderr.write(`Key ${key.id} of user ${printable(key.user)}. The secret is shown this once.\n`);
      }
    });
}

function bodyOf(
  user: string,
  { name = user, admin, weight, queuedMax, runningMax, expires }: CreateFlags,
): Pick<CreateKeyBody, "user" | "name"> & Partial<CreateKeyBody> {
  return { name, user, role: admin ? "admin" : "user", weight, queuedMax, runningMax, expiresAt: expires };
}
