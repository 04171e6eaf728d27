#!/usr/bin/env node
import { openTracing } from "@genai/tracing";
import type { Logger } from "pino";
import { ArtifactStoreRefused } from "./artifacts/artifact-store.ts";
import { type Command, readCommandLine, UsageError } from "./command-line/command-line.ts";
import { helpText } from "./command-line/help-text.ts";
import { runStoreCommand } from "./command-line/store-command.ts";
import { ConfigurationError, readConfiguration } from "./configuration/configuration.ts";
import { isAddressRefused } from "./listen.ts";
import { createLogger } from "./logger.ts";
import { startServer } from "./server.ts";
import { StoreRefused, StoreUnavailable } from "./storage/index.ts";
import { VERSION } from "./version.ts";

/** How long a clean end may take before the process ends anyway, in milliseconds. */
const CLOSE_MS_MAX = 9_000;

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2));
  if (command.type === "help") process.stdout.write(helpText());
  else if (command.type === "version") process.stdout.write(`${VERSION}\n`);
  else if (command.type === "serve") await serve();
  else await runOnStore(command);
}

async function runOnStore(command: Extract<Command, { type: "check" | "migrate" | "backup" }>): Promise<void> {
  const print = (sentence: string): void => void process.stdout.write(`${sentence}\n`);
  try {
    process.exitCode = await runStoreCommand(command, readConfiguration(process.env), print);
  } catch (error) {
    if (!(error instanceof StoreRefused)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

async function serve(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = createLogger({ level: configuration.LOG_LEVEL, debug: configuration.DEBUG });
  process.on("unhandledRejection", (error) => {
    logger.fatal({ err: error }, "a bug: an error that nobody handled");
    process.exit(70);
  });
  const stop = stopSignal(logger);
  const tracing = await openTracing(process.env, {
    serviceName: "genai-server",
    version: VERSION,
    onFailure: (reason) => logger.warn({ reason }, "traces can't be sent"),
  });
  const server = await startServer(configuration, logger, { tracing });
  await stop;
  await server.close();
  await tracing.close();
  process.exit(0);
}

/** Resolves at the first SIGTERM or SIGINT, also at one that comes while the server starts. From then on the process has
 *  {@link CLOSE_MS_MAX} for its end. */
function stopSignal(logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stopping) return;
        stopping = true;
        logger.info({ signal }, "stopping");
        setTimeout(() => {
          logger.error("the clean end took too long; what is stored is safe");
          process.exit(0);
        }, CLOSE_MS_MAX).unref();
        resolve();
      });
    }
  });
}

main().catch((error: unknown) => {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message} See genai-server --help.\n`);
    process.exit(2);
  }
  if (hasSentence(error) || isAddressRefused(error)) {
    const advice = isAddressRefused(error) ? ". Choose another port or address with HTTP_PORT or HOST." : "";
    process.stderr.write(`genai-server can't start. ${(error as Error).message}${advice}\n`);
    process.exit(1);
  }
  throw error;
});

function hasSentence(error: unknown): boolean {
  return [ConfigurationError, StoreRefused, StoreUnavailable, ArtifactStoreRefused].some(
    (kind) => error instanceof kind,
  );
}
