import type { TaskStreamEvent } from "@genai/protocol/client";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";
import { connectServer } from "../../server/connect-server.ts";
import { printable } from "../../terminal/table.ts";

export function addTasksWatch(tasks: Command, context: CliContext): void {
  tasks
    .command("watch")
    .description("print a line per event: of one task until it ends, or of all your tasks until Ctrl-C")
    .argument("[task]", "id of the task (default: all your tasks)")
    .addHelpText(
      "after",
      `
The exit code is 1 if the task failed or was canceled.

Examples:
  genai-cli tasks watch
  genai-cli tasks watch 0199a0b0-0000-7000-8000-000000000000 --json | jq -r .data.state`,
    )
    .action(async (taskId: string | undefined, _flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const options = { signal: context.signal };
      const events = taskId === undefined ? client.followAll(options) : client.follow(taskId, options);
      let last = "";
      try {
        for await (const event of events) {
          if (event.type === "preview") continue;
          context.stdout.write(settings.json ? `${JSON.stringify(event)}\n` : `${line(event)}\n`);
          if (event.type === "state") last = event.data.state;
        }
      } catch (error) {
        if (!context.signal.aborted) throw error;
        throw new CliError("interrupted", "Stopped watching; nothing was changed.", { cause: error });
      }
      if (last === "failed" || last === "canceled") throw new CliError("failed", `Task ${taskId} ended: ${last}.`);
    });
}

function line(event: Exclude<TaskStreamEvent, { type: "preview" }>): string {
  const { data } = event;
  const words =
    event.type === "progress"
      ? `${Math.round(event.data.value * 100)} % ${event.data.stage}`
      : [event.data.state, event.data.nodeId, event.data.reason, event.data.error?.message].filter(Boolean).join(" ");
  return printable(`${data.taskId} ${words}`.trimEnd());
}
