import { type Logger, pino } from "pino";

/** Lines are written when there are so many characters of them, or after so many milliseconds: a write for each line was a twentieth of a
 *  busy server's time. A clean end and a fatal error write what is left; kill -9 takes the last moment's lines with it. */
const BUFFERED = { chars: 4_096, ms: 100 };

/** One JSON line an event on standard output. Tokens and prompts are never given to it; what might carry one is redacted by name. */
export function createLogger(options: { readonly level: string; readonly debug: string | null }): Logger {
  const raised = options.debug !== null && options.debug !== "false" && options.debug !== "0";
  const output = pino.destination({ dest: 1, sync: true, minLength: BUFFERED.chars });
  setInterval(() => output.flush(), BUFFERED.ms).unref();
  process.on("exit", () => output.flushSync());
  return pino(
    {
      level: raised && options.level !== "trace" ? "debug" : options.level,
      base: null,
      timestamp: isoTime,
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
    },
    output,
  );
}

let writtenMs = 0;
let written = "";

/** The instant of a line. Lines of the same millisecond share its text. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== writtenMs) {
    writtenMs = nowMs;
    written = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return written;
}
