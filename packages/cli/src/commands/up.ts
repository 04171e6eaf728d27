import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import { integer } from "../flag-values.ts";
import { portAnswers } from "../up/port-answers.ts";
import { Programs } from "../up/programs.ts";
import { untilReady } from "../up/until-ready.ts";

interface UpFlags {
  readonly port: number;
  readonly scalerPort: number;
  readonly home: string;
}

export function addUp(program: Command, context: CliContext): void {
  program
    .command("up")
    .description("run a server, a scaler and one node with the test engine in the foreground, for a first try")
    .addOption(new Option("--port <port>", "port of the server").argParser(integer).default(8080))
    .addOption(new Option("--scaler-port <port>", "port of the scaler").argParser(integer).default(51_075))
    .option("--home <folder>", "folder for all data", ".genai")
    .addHelpText("after", "\nExamples:\n  genai-cli up\n  genai-cli up --port 9000 --home /tmp/try")
    .action(async ({ port, scalerPort, home }: UpFlags) => {
      // Somebody else's server would answer for ours.
      if (await portAnswers(port)) throw new CliError("usage", `Port ${port} is in use. Give another with --port.`);
      const url = `http://127.0.0.1:${port}`;
      const programs = new Programs(context);
      try {
        programs.start("server", [], { HTTP_PORT: String(port), GENAI_HOME: home });
        if (await untilReady(`${url}/readyz`, programs.ended)) {
          programs.start("scaler", [], { GRPC_SERVER_ADDR: `127.0.0.1:${scalerPort}` });
          programs.start("node", ["-b", `ws://127.0.0.1:${port}`, "-t", "test", "--home", `${home}/node`], {});
          if (await untilReady(`${url}/v1/nodes/health/`, programs.ended))
            context.stdout.write(readyMessage(context.invocation, url, port, home));
        }
        await programs.end;
      } finally {
        await programs.stop();
      }
      if (programs.failure !== null) throw new CliError("failed", programs.failure);
    });
}

/** Where everything is, and a command that works from another terminal in the same folder. */
function readyMessage(invocation: string, url: string, port: number, home: string): string {
  const elsewhere = `${port === 8080 ? "" : ` --server ${url}`}${home === ".genai" ? "" : ` --token "$(cat ${home}/admin.key)"`}`;
  return [
    `Ready at ${url}. Its pages: ${url}/docs/. Your key: ${home}/admin.key.`,
    `Try: ${invocation} generate "a red fox in the snow" --out fox.png${elsewhere}`,
    "Ctrl-C ends it.\n",
  ].join("\n");
}
