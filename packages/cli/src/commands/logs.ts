import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";
import { integer } from "../flag-values.ts";
import { scalerError } from "../scaler/call-scaler.ts";
import { connectScaler } from "../scaler/connect-scaler.ts";
import { readSettings } from "../settings.ts";

export function addLogs(program: Command, context: CliContext): void {
  program
    .command("logs")
    .description("print the output of a node")
    .argument("<id>", "id of a node, including one that was deleted recently")
    .addOption(new Option("--tail <lines>", "number of lines from the end").argParser(integer).default(200))
    .option("-f, --follow", "keep printing new output")
    .addHelpText(
      "after",
      "\nExamples:\n  genai-cli logs 4e1f0a9c77d2\n  genai-cli logs 4e1f0a9c77d2 --tail 20 --follow",
    )
    .action(async (nodeId: string, flags: { tail: number; follow?: boolean }, command: Command) => {
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      const request = { nodeId, tail: flags.tail, follow: flags.follow === true };
      const stream = scaler.client.getNodeLogs(request, scaler.metadata);
      context.signal.addEventListener("abort", () => stream.cancel());
      try {
        for await (const { data, stderr } of stream) {
          if (settings.json) context.stdout.write(`${JSON.stringify({ stderr, text: data.toString("utf8") })}\n`);
          else (stderr ? context.stderr : context.stdout).write(data);
        }
      } catch (error) {
        if (!context.signal.aborted) throw scalerError(error, scaler.address);
      }
    });
}
