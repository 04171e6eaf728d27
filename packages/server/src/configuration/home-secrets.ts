import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Secrets that the server makes for itself at its first start, each in a file of GENAI_HOME that only its owner can read. */
export interface HomeSecrets {
  /** Signs callers' tokens where JWT_SECRET is not set. */
  readonly jwtSecret: string;
  /** Signs the URLs of artifacts and uploads. */
  readonly urlSecret: string;
  /** What the secrets of webhooks are derived from where WEBHOOK_SECRET is not set. */
  readonly webhookSecret: string;
  /** An administrator's API key; `genai-cli` on the same machine finds it here. */
  readonly adminKey: string;
}

/** Name of the file with the administrator's key. */
const ADMIN_KEY_FILE = "admin.key";

/** Reads the secrets of a home, making those that are missing. */
export function readHomeSecrets(home: string): HomeSecrets {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return {
    jwtSecret: readOrMake(join(home, "jwt.secret"), () => randomBytes(48).toString("base64url")),
    urlSecret: readOrMake(join(home, "url.secret"), () => randomBytes(48).toString("base64url")),
    webhookSecret: readOrMake(join(home, "webhook.secret"), () => randomBytes(48).toString("base64url")),
    adminKey: readOrMake(join(home, ADMIN_KEY_FILE), () => `genai_admin_${randomBytes(32).toString("base64url")}`),
  };
}

function readOrMake(path: string, make: () => string): string {
  if (!existsSync(path)) makeFile(path, make());
  const kept = readFileSync(path, "utf8").trim();
  if (kept.length < 32) throw new Error(`The secret in ${path} is too short. Delete the file to have a new one made.`);
  return kept;
}

/** Written beside its place and linked into it: it is there whole or not at all, whenever this process is killed, and of two
 *  starters the first decides. */
function makeFile(path: string, secret: string): void {
  const unfinished = `${path}.${process.pid}`;
  try {
    const file = openSync(unfinished, "w", 0o600);
    try {
      writeSync(file, `${secret}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(unfinished, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}
