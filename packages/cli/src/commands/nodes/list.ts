import type { V2Node } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";
import { table } from "../../terminal/table.ts";
import { timeText } from "../../terminal/units.ts";

export function addNodesList(nodes: Command, context: CliContext): void {
  nodes
    .command("list")
    .description("list the connected nodes (for the scaler's nodes see genai-cli list)")
    .addHelpText(
      "after",
      "\nExamples:\n  genai-cli nodes list\n  genai-cli nodes list --json | jq -r '.[] | select(.state == \"idle\").id'",
    )
    .action(async (_flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.listNodes();
      context.stdout.write(settings.json ? `${JSON.stringify(body.nodes)}\n` : table(HEAD, body.nodes.map(row)));
    });
}

const HEAD = [
  "ID",
  "STATE",
  "ENGINE",
  "GPU",
  "MODELS",
  "WARM",
  "RUNNING",
  "COST",
  "PICTURE",
  "DONE",
  "FAILED",
] as const;

function row(node: V2Node): readonly string[] {
  return [
    node.id,
    node.restsForMs === null ? node.state : `${node.state} ${timeText(node.restsForMs)}`,
    node.engine ?? "?",
    node.gpuType ?? "-",
    node.models.length === 0 ? "all" : String(node.models.length),
    node.warmModel ?? "-",
    `${node.running}/${node.slots}`,
    String(node.cost),
    node.pictureMs === null ? "-" : timeText(node.pictureMs),
    String(node.counts?.succeeded ?? "-"),
    String(node.counts?.failed ?? "-"),
  ];
}
