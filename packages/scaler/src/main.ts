#!/usr/bin/env node
import { pino } from "pino";
import { ConfigError, readConfig } from "./config.ts";
import { runScaler } from "./run.ts";

try {
  const config = readConfig(process.env);
  const running = await runScaler(config, pino({ name: "scaler", level: config.LOG_LEVEL }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void running.close();
    });
  }
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`The scaler does not start: ${error.message}\n`);
  process.exitCode = 78;
}
