import { execFile } from "node:child_process";
import { programOf } from "./programs.ts";

/** What `genai-server check` says of a store: nothing where it is sound. */
export function storeFindings(home: string, databaseUrl: string | null): Promise<readonly string[]> {
  const env = {
    PATH: process.env.PATH,
    GENAI_HOME: home,
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [programOf("server"), "check"], { env }, (error, out, err) => {
      resolve(error === null ? [] : `${out}${err}`.trim().split("\n"));
    });
  });
}
