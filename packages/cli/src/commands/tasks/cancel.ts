import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";

export function addTasksCancel(tasks: Command, context: CliContext): void {
  tasks
    .command("cancel")
    .description("cancel tasks; those that have ended are left unchanged")
    .argument("<tasks...>", "ids of the tasks")
    .addHelpText(
      "after",
      `
Examples:
  genai-cli tasks cancel 0199a0b0-0000-7000-8000-000000000000
  genai-cli tasks list --state queued --json | jq -r '.[].id' | xargs genai-cli tasks cancel`,
    )
    .action(async (taskIds: readonly string[], _flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      for (const taskId of taskIds) {
        const { body } = await client.cancelTask({ params: { taskId } });
        context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : `${body.id} ${body.state}\n`);
      }
    });
}
