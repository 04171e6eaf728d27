import { parseArgs } from "node:util";

/** What `genai-server` is asked to do. */
export type Command =
  /** Serve until a signal ends it. */
  | { readonly type: "serve" }
  /** Verify the store without changing it. */
  | { readonly type: "check" }
  /** Bring the store's schema up to date, and start nothing. */
  | { readonly type: "migrate" }
  /** Copy the store into a new file while its server works. */
  | { readonly type: "backup"; readonly file: string }
  | { readonly type: "help" }
  | { readonly type: "version" };

/** The arguments say nothing that the program knows. The message is a whole sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Parses what stands behind `genai-server`. Throws {@link UsageError}. */
export function readCommandLine(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const [name, ...rest] = positionals;
  if (values.help || name === "help") return { type: "help" };
  if (values.version) return { type: "version" };
  if (name === "backup") {
    const [file, ...more] = rest;
    if (file === undefined || file === "" || more.length > 0) {
      throw new UsageError("backup wants the name of one new file: genai-server backup FILE.");
    }
    return { type: "backup", file };
  }
  if (rest.length > 0) throw new UsageError(`${name} takes no argument, and got ${JSON.stringify(rest[0])}.`);
  switch (name) {
    case undefined:
      return { type: "serve" };
    case "check":
    case "migrate":
      return { type: name };
    default:
      throw new UsageError(`${JSON.stringify(name)} is no command: check, migrate, backup FILE, or none to serve.`);
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        version: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? `${error.message.split(". ")[0]}.` : String(error));
  }
}
