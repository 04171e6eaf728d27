import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";

export function addTasksRetry(tasks: Command, context: CliContext): void {
  tasks
    .command("retry")
    .description("repeat an ended task as a new one, and print the new id")
    .argument("<task>", "id of the task")
    .addHelpText(
      "after",
      "\nExamples:\n  genai-cli tasks watch $(genai-cli tasks retry 0199a0b0-0000-7000-8000-000000000000)",
    )
    .action(async (taskId: string, _flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.retryTask({ params: { taskId }, headers: { "idempotency-key": randomUUID() } });
      context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : `${body.id}\n`);
    });
}
