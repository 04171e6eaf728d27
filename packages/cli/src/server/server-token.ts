import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CliContext } from "../cli-context.ts";
import type { Settings } from "../settings.ts";

/** The token for the server: as set, else the key that a server on this machine keeps in GENAI_HOME (default ./.genai). That key opens
 *  everything, so it goes to a loopback address and nowhere else. null: none was found, and a server without authentication wants none. */
export function serverToken(settings: Settings, context: CliContext): string | null {
  if (settings.token !== undefined) return settings.token;
  const { hostname } = new URL(settings.server);
  if (!["localhost", "127.0.0.1", "[::1]"].includes(hostname)) return null;
  try {
    return readFileSync(join(context.env.GENAI_HOME || ".genai", "admin.key"), "utf8").trim() || null;
  } catch {
    return null;
  }
}
