import { spawn } from "node:child_process";
import { once } from "node:events";
import { isAbsolute } from "node:path";
import { createInterface } from "node:readline";
import type { Logger } from "pino";

/** Long enough for models of many gigabytes, in milliseconds. */
const LIMIT_MS = 6 * 3_600_000;
const LINE_CHARS_MAX = 2_000;

/** Runs the operator's script once before the node starts, its output line by line in the log. A URL is left to the image: those that know the
 *  variable (ai-dock's) fetch and run it themselves, before the engine. Rejects with a sentence where the script fails, and with the reason of
 *  `signal` where that ends it. */
export async function provision(script: string | undefined, logger: Logger, signal: AbortSignal): Promise<void> {
  if (script === undefined || script.trim() === "") return;
  if (!isAbsolute(script)) {
    logger.info("PROVISIONING_SCRIPT is no absolute path: it is left to the image to run it");
    return;
  }
  logger.info({ script }, "provisioning");
  const child = spawn(script, [], {
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
  });
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) =>
      logger.info({ line: line.slice(0, LINE_CHARS_MAX) }, "provisioning"),
    );
  const [code, killedBy] = await once(child, "close").catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Error(`The provisioning script ${script} can't be run.`, { cause });
  });
  if (code !== 0) throw new Error(`The provisioning script ${script} ended with ${code ?? killedBy}.`);
}
