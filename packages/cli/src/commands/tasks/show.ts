import type { V2Task } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";
import { facts } from "../../terminal/facts.ts";
import { table } from "../../terminal/table.ts";
import { bytesText, timeText } from "../../terminal/units.ts";

export function addTasksShow(tasks: Command, context: CliContext): void {
  tasks
    .command("show")
    .description("show everything about a task")
    .argument("<task>", "id of the task")
    .addHelpText("after", "\nExamples:\n  genai-cli tasks show 0199a0b0-0000-7000-8000-000000000000")
    .action(async (taskId: string, _flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.getTask({ params: { taskId } });
      if (body === null) return;
      context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : taskText(body));
    });
}

function taskText(task: V2Task): string {
  const { result, error } = task;
  const head = facts([
    ["id", task.id],
    ["state", task.state === "running" ? `running, ${Math.round(task.progress * 100)} %` : task.state],
    ["waits for", task.blocked?.message],
    ["before it", task.position],
    ["expected", task.expectedMs === null ? null : timeText(task.expectedMs)],
    ["error", error === null ? null : `${error.code}: ${error.message}`],
    ["pipeline", task.pipelineType],
    ["models", task.models.join(", ")],
    ["created", task.createdAt],
    ["started", task.startedAt],
    ["ended", task.settledAt],
    ["deadline", task.deadlineAt],
    ["pays", `at most ${task.maxCost}, ${task.timeToMoneyRatio} a second`],
    ["metadata", task.metadata === null ? null : JSON.stringify(task.metadata)],
  ]);
  const attempts = task.attempts.map(({ attempt, nodeId, state, cost, gpuMs, error: failure }) => [
    String(attempt),
    nodeId,
    state,
    String(cost),
    timeText(gpuMs),
    failure === null ? "" : `${failure.code}: ${failure.message}`,
  ]);
  const pictures = (result?.artifacts ?? []).map(({ index, mime, width, height, bytes, url }) => [
    String(index),
    mime ?? "-",
    width === null ? "-" : `${width}x${height}`,
    bytes === null ? "-" : bytesText(bytes),
    url,
  ]);
  return [
    head,
    attempts.length === 0 ? "" : `\n${table(["ATTEMPT", "NODE", "STATE", "COST", "GPU TIME", "ERROR"], attempts)}`,
    pictures.length === 0 ? "" : `\n${table(["PICTURE", "TYPE", "SIZE", "BYTES", "URL"], pictures)}`,
  ].join("");
}
