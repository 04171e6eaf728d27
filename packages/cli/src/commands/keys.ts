import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addKeysCreate } from "./keys/create.ts";
import { addKeysList } from "./keys/list.ts";
import { addKeysRevoke } from "./keys/revoke.ts";

export function addKeys(program: Command, context: CliContext): void {
  const keys = program.command("keys").description("manage the server's API keys (administrators)");
  for (const add of [addKeysCreate, addKeysList, addKeysRevoke]) add(keys, context);
}
