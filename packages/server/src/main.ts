#!/usr/bin/env node
import { ConfigurationError, readConfiguration } from "./configuration/configuration.ts";
import { createLogger } from "./logger.ts";
import { startServer } from "./server.ts";
import { StoreRefused } from "./storage/index.ts";

/** How long a clean end may take before the process ends anyway, in milliseconds. */
const CLOSE_MS_MAX = 9_000;

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = createLogger({ level: configuration.LOG_LEVEL, debug: configuration.DEBUG });
  process.on("unhandledRejection", (error) => {
    logger.fatal({ err: error }, "a bug: an error that nobody handled");
    process.exit(70);
  });
  const server = await startServer(configuration, logger);
  let closing = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (closing) return;
      closing = true;
      logger.info({ signal }, "stopping");
      setTimeout(() => {
        logger.error("the clean end took too long; what is stored is safe");
        process.exit(0);
      }, CLOSE_MS_MAX).unref();
      void server.close().then(() => process.exit(0));
    });
  }
}

main().catch((error: unknown) => {
  if (error instanceof ConfigurationError || error instanceof StoreRefused || isBusyPort(error)) {
    process.stderr.write(`genai-server can't start. ${(error as Error).message}\n`);
    process.exit(1);
  }
  throw error;
});

function isBusyPort(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "EADDRINUSE" || code === "EACCES" || code === "EADDRNOTAVAIL";
}
