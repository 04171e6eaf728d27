import type { V2Explanation } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";
import { facts } from "../../terminal/facts.ts";
import { table } from "../../terminal/table.ts";
import { timeText } from "../../terminal/units.ts";

export function addTasksExplain(tasks: Command, context: CliContext): void {
  tasks
    .command("explain")
    .description("explain where a task stands, and for each node why it does or does not run it")
    .argument("<task>", "id of the task")
    .addHelpText(
      "after",
      `
Examples:
  genai-cli tasks explain 0199a0b0-0000-7000-8000-000000000000
  genai-cli tasks explain 0199a0b0-0000-7000-8000-000000000000 --json | jq -r .code`,
    )
    .action(async (taskId: string, _flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.explainTask({ params: { taskId } });
      context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : explanationText(body));
    });
}

function explanationText(explanation: V2Explanation): string {
  const { nodes, nodesLeftOut, position, expectedMs, retryAt, message } = explanation;
  const rows = nodes.map(({ nodeId, score, reasons }) => [
    nodeId,
    score === null ? "-" : score.score.toFixed(2),
    score === null ? "-" : String(score.cost),
    score === null ? "-" : timeText(score.aheadMs),
    score === null ? "-" : timeText(score.loadMs + score.runMs),
    reasons.map((reason) => reason.message).join("; "),
  ]);
  return [
    `${message}\n`,
    facts([
      ["before it", position],
      ["expected", expectedMs === null ? null : timeText(expectedMs)],
      ["again at", retryAt],
    ]),
    rows.length === 0 ? "" : `\n${table(["NODE", "SCORE", "COST", "WAIT", "WORK", "REASONS"], rows)}`,
    nodesLeftOut === 0 ? "" : `and ${nodesLeftOut} more nodes\n`,
  ].join("");
}
