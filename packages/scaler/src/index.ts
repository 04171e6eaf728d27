export { ConfigError, readConfig, type ScalerConfig } from "./config.ts";
export { type RunningScaler, runScaler } from "./run.ts";
