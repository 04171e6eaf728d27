import { type Client, createClient } from "@genai/protocol/client";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { readSettings, type Settings } from "../settings.ts";
import { serverToken } from "./server-token.ts";

/** A client of the server that a command's settings name. Ctrl-C ends its calls. */
export function connectServer(
  command: Command,
  context: CliContext,
): { readonly client: Client; readonly settings: Settings } {
  const settings = readSettings(command, context);
  return {
    client: createClient({ server: settings.server, token: serverToken(settings, context), signal: context.signal }),
    settings,
  };
}
