import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The node's own id, made at the first start and kept in its home. */
export async function readNodeId(home: string): Promise<string> {
  await mkdir(home, { recursive: true });
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
