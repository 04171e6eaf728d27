import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../error-code.ts";

/** The name under which this server claims tasks, made once and kept in its folder. The caller holds the folder's lock. */
export function serverIdIn(folder: string): string {
  const file = join(folder, "server-id");
  const kept = read(file);
  if (kept !== "") return kept;
  const made = randomUUID();
  // Whole under its name or not there: a server that was killed here makes another the next time.
  const unfinished = `${file}.unfinished`;
  const descriptor = openSync(unfinished, "w", 0o600);
  writeSync(descriptor, made);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(unfinished, file);
  return made;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return "";
  }
}
