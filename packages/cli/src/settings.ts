import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import type { CliContext } from "./cli-context.ts";
import { CliError } from "./cli-error.ts";

/** Where the scaler and the server are, and what to show them. A flag wins over the environment, the environment over the file. */
const Settings = z.strictObject({
  /** `host:port` or `unix:/path`. */
  scaler: z
    .string()
    .regex(/^(?:unix:.+|.+:\d{1,5})$/, "must be host:port or unix:/path")
    .default("127.0.0.1:51075"),
  scalerToken: z.string().min(1).optional(),
  /** PEM files; the first alone asks for TLS, the other two show a certificate. */
  scalerCa: z.string().min(1).optional(),
  scalerCert: z.string().min(1).optional(),
  scalerKey: z.string().min(1).optional(),
  server: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8080"),
  token: z.string().min(1).optional(),
});

export interface Settings extends z.infer<typeof Settings> {
  readonly json: boolean;
}

/** Environment names of each setting, the first that is set counts. */
const ENV_NAMES: Readonly<Record<keyof z.infer<typeof Settings>, readonly string[]>> = {
  scaler: ["GENAI_SCALER", "GRPC_SERVER_ADDR"],
  scalerToken: ["SCALER_TOKEN"],
  scalerCa: ["SCALER_CA"],
  scalerCert: ["SCALER_CERT"],
  scalerKey: ["SCALER_KEY"],
  server: ["GENAI_SERVER"],
  token: ["GENAI_TOKEN"],
};

const NAMES = Object.keys(ENV_NAMES) as (keyof z.infer<typeof Settings>)[];

/** Adds the flags that every command takes. */
export function addSettingFlags(program: Command): void {
  program
    .option("--json", "print JSON instead of text")
    .option("--config <file>", "configuration file (default: ~/.config/genai/config.json)")
    .option("--scaler <address>", "address of the scaler, host:port or unix:/path (env GENAI_SCALER)")
    .option("--scaler-token <token>", "token for the scaler (env SCALER_TOKEN)")
    .option("--scaler-ca <file>", "CA of the scaler's certificate; enables TLS (env SCALER_CA)")
    .option("--scaler-cert <file>", "client certificate for the scaler (env SCALER_CERT)")
    .option("--scaler-key <file>", "key of that certificate (env SCALER_KEY)")
    .option("--server <url>", "URL of the server (env GENAI_SERVER)")
    .option("--token <token>", "API key or JWT for the server (env GENAI_TOKEN)");
}

/** Settings of a command. Throws `usage` with the name of what is wrong and where it came from. */
export function readSettings(command: Command, context: CliContext): Settings {
  const flags = command.optsWithGlobals();
  const path = typeof flags.config === "string" ? flags.config : defaultPath(context);
  const merged = readFile(path, { mustBeThere: flags.config !== undefined });
  let serverFrom = path;
  for (const name of NAMES) {
    const envName = ENV_NAMES[name].find((each) => context.env[each] !== undefined && context.env[each] !== "");
    const value = flags[name] ?? (envName && context.env[envName]);
    if (value === undefined) continue;
    merged[name] = value;
    if (name === "server") serverFrom = flags.server === undefined ? (envName ?? "") : "--server";
  }
  const parsed = Settings.safeParse(merged);
  if (parsed.success) return { ...parsed.data, json: flags.json === true };
  const issue = parsed.error.issues[0];
  if (issue?.path[0] === "server") {
    const given = JSON.stringify(merged.server);
    const must = "must begin with http:// or https://, such as http://127.0.0.1:8080";
    throw new CliError("usage", `The server's URL ${given} (${serverFrom}) ${must}.`);
  }
  const name = issue?.path.join(".");
  const given = name === "scaler" ? ` is ${JSON.stringify(merged.scaler)}, but it` : ":";
  throw new CliError("usage", `Setting ${name || "in the configuration file"}${given} ${issue?.message}.`);
}

function defaultPath(context: CliContext): string {
  const configHome = context.env.XDG_CONFIG_HOME || join(context.env.HOME ?? homedir(), ".config");
  return join(configHome, "genai", "config.json");
}

function readFile(path: string, { mustBeThere }: { readonly mustBeThere: boolean }): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!mustBeThere && (code === "ENOENT" || code === "ENOTDIR")) return {};
    throw new CliError("usage", `The configuration file ${path} can't be read (${code}).`);
  }
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new CliError("usage", `The configuration file ${path} holds no JSON object.`);
  }
}
