import type { CreateKeyBody, V2ApiKey } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { connectServer } from "../server/connect-server.ts";
import { printable, table } from "../terminal/table.ts";

interface CreateFlags {
  readonly name?: string;
  readonly admin?: boolean;
  readonly weight?: string;
  readonly queuedMax?: string;
  readonly runningMax?: string;
  readonly expires?: string;
}

export function addKeys(program: Command, context: CliContext): void {
  const keys = program.command("keys").description("API keys of the server, for administrators");

  keys
    .command("create <user>")
    .description("make a key for a user; prints its secret, once")
    .option("--name <name>", "for people, in the list (default: the user)")
    .option("--admin", "a key that may do everything")
    .option("--weight <n>", "the user's share beside others")
    .option("--queued-max <n>", "most waiting tasks of the user")
    .option("--running-max <n>", "most running tasks of the user")
    .option("--expires <instant>", "when it ends, such as 2030-01-01T00:00:00Z")
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

  keys
    .command("list")
    .description("all keys, newest first, without their secrets")
    .action(async (_flags: object, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { keys: all } = (await client.listKeys()).body;
      if (settings.json) context.stdout.write(`${JSON.stringify(all)}\n`);
      else context.stdout.write(table(["ID", "USER", "NAME", "ROLE", "WEIGHT", "STATE"], all.map(rowOf)));
    });

  keys
    .command("revoke <key-id>")
    .description("end a key at once")
    .action(async (keyId: string, _flags: object, command: Command) => {
      await connectServer(command, context).client.revokeKey({ params: { keyId } });
    });
}

function bodyOf(user: string, flags: CreateFlags): Pick<CreateKeyBody, "user" | "name"> & Partial<CreateKeyBody> {
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  return {
    name: flags.name ?? user,
    user,
    role: flags.admin ? "admin" : "user",
    weight: number(flags.weight),
    queuedMax: number(flags.queuedMax),
    runningMax: number(flags.runningMax),
    expiresAt: flags.expires,
  };
}

function rowOf(key: V2ApiKey): string[] {
  const state = key.revokedAt !== null ? "revoked" : key.expiresAt === null ? "live" : `until ${key.expiresAt}`;
  return [key.id, key.user, key.name, key.role, String(key.weight ?? 1), state].map(printable);
}
