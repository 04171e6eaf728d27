import { readFile } from "node:fs/promises";

/** The join token: as given, else from its file, else null. Rejects with a sentence where the file can't be read or is empty. */
export async function readJoinToken(flags: {
  readonly token?: string;
  readonly tokenFile?: string;
}): Promise<string | null> {
  if (flags.token !== undefined && flags.token !== "") return flags.token;
  if (flags.tokenFile === undefined || flags.tokenFile === "") return null;
  const text = await readFile(flags.tokenFile, "utf8").catch((cause: unknown) => {
    throw new Error(`The join token can't be read from ${flags.tokenFile}.`, { cause });
  });
  const token = text.trim();
  if (token === "") throw new Error(`The file ${flags.tokenFile} holds no join token.`);
  return token;
}
