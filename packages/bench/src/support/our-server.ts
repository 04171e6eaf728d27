import { fileURLToPath } from "node:url";
import { freePort } from "@genai/testing";
import { Child } from "./child.ts";
import { serverEnvironment } from "./server-environment.ts";

/** Starts the server as it is shipped, with authentication and rate limits off. */
export async function startOurServer(options: {
  readonly home: string;
  readonly databaseUrl: string | null;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Folder for its CPU profile, or null. */
  readonly profile?: string | null;
  /** Lets {@link Child.memory} ask it. */
  readonly memoryReports?: boolean;
}): Promise<Child> {
  const port = options.port ?? (await freePort());
  return Child.start(fileURLToPath(import.meta.resolve("@genai/server/main")), [], {
    port,
    nodeArgs: [
      ...(options.profile ? ["--cpu-prof", `--cpu-prof-dir=${options.profile}`] : []),
      ...(options.memoryReports ? ["--expose-gc", "--import", import.meta.resolve("./memory-reporter.js")] : []),
    ],
    env: {
      ...serverEnvironment({ ...options, port }),
      QUEUED_TASKS_MAX: "100000000",
      ...options.env,
    },
  });
}
