import { randomUUID } from "node:crypto";
import { access, constants, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Makes the node's home where there is none; rejects with the system's error where it can't be made or written to. */
export async function makeHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true });
  await access(home, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** The system's error about something in the home as a sentence; any other error as it is. */
export function homeFault(home: string, error: unknown): unknown {
  const { syscall, code = "", path = home } = error as NodeJS.ErrnoException;
  if (syscall === undefined && !code.startsWith("ERR_FS_")) return error;
  const why = WHY[code]?.(path) ?? `${path} gives ${code}`;
  return new Error(`The node can't use ${home} as its home (--home or GENAI_NODE_HOME): ${why}.`, { cause: error });
}

const WHY: Readonly<Record<string, (path: string) => string>> = {
  EEXIST: (path) => `${path} is not a folder`,
  ENOTDIR: (path) => `${path} or what is above it is not a folder`,
  EISDIR: () => "a folder is in it where a file should be",
  ERR_FS_EISDIR: () => "a folder is in it where a file should be",
  ENOENT: (path) => `${path} can't be made there`,
  EACCES: (path) => `this user has no permission for ${path}`,
  EPERM: (path) => `this user has no permission for ${path}`,
  EROFS: (path) => `${path} is on a file system that can only be read`,
  ENOSPC: () => "its disk is full",
};

/** The node's own id, made at the first start and kept in its home, which is there. */
export async function readNodeId(home: string): Promise<string> {
  const path = join(home, "node-id");
  try {
    await writeFile(path, `${randomUUID()}\n`, { flag: "wx", flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const nodeId = (await readFile(path, "utf8")).trim();
  if (nodeId === "" || nodeId.length > 256)
    throw new Error(`The node id in ${path} can't be used; delete the file to have a new one made.`);
  return nodeId;
}
