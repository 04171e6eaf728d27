#!/usr/bin/env node
import { pino } from "pino";
import { ConfigError, readConfig } from "./config.ts";
import { helpText } from "./help-text.ts";
import { runScaler } from "./run.ts";
import { VERSION } from "./version.ts";

const [argument] = process.argv.slice(2);
if (argument === undefined) await serve();
else if (argument === "--version") process.stdout.write(`${VERSION}\n`);
else if (argument === "--help" || argument === "-h" || argument === "help") process.stdout.write(helpText());
else {
  process.stderr.write(
    `The scaler takes no arguments, and got ${JSON.stringify(argument)}. See genai-scaler --help.\n`,
  );
  process.exitCode = 2;
}

async function serve(): Promise<void> {
  const stop = stopSignal();
  try {
    const config = readConfig(process.env);
    // As the server and the node write theirs.
    const log = pino({ level: config.LOG_LEVEL, base: null, timestamp: pino.stdTimeFunctions.isoTime });
    const running = await runScaler(config, log);
    await stop;
    await running.close();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`The scaler does not start: ${error.message}\n`);
    process.exitCode = 78;
  }
}

/** Resolves at the first SIGINT or SIGTERM, also at one that comes while it starts; the same one again ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
