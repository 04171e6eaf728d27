import { type Logger, pino } from "pino";

/** One JSON line an event on standard output. Tokens and prompts are never given to it; what might carry one is redacted by name. */
export function createLogger(options: { readonly level: string; readonly debug: string | null }): Logger {
  const raised = options.debug !== null && options.debug !== "false" && options.debug !== "0";
  return pino({
    level: raised && options.level !== "trace" ? "debug" : options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        "token",
        "authorization",
        "prompt",
        "password",
        "secret",
        "*.token",
        "*.authorization",
        "*.prompt",
        "headers",
        "*.headers",
      ],
      censor: "(redacted)",
    },
    serializers: { err: pino.stdSerializers.err },
  });
}
