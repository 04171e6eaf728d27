import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { connectServer } from "../server/connect-server.ts";
import { facts } from "../terminal/facts.ts";
import { timeText } from "../terminal/units.ts";

export function addUsage(program: Command, context: CliContext): void {
  program
    .command("usage")
    .description("show what you have used")
    .option("--user <id>", "another user (administrators)")
    .addHelpText("after", "\nExamples:\n  genai-cli usage\n  genai-cli usage --user ann --json | jq .cost")
    .action(async ({ user }: { readonly user?: string }, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.getUsage(user === undefined ? {} : { query: { user } });
      if (settings.json) {
        context.stdout.write(`${JSON.stringify(body)}\n`);
        return;
      }
      const { tasks, gpuMs, cost, userId } = body;
      context.stdout.write(
        facts([["user", userId], ...Object.entries(tasks), ["GPU time", timeText(gpuMs)], ["cost", `${cost} credits`]]),
      );
    });
}
