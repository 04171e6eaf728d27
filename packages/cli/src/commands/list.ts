import type { NodeInfo__Output } from "@genai/protocol/scaler";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { callScaler, scalerError } from "../scaler/call-scaler.ts";
import { connectScaler, type ScalerConnection } from "../scaler/connect-scaler.ts";
import { NODE_HEAD, nodeJson, nodeRow, stateWord } from "../scaler/node-words.ts";
import { readSettings } from "../settings.ts";
import { table } from "../terminal/table.ts";

export function addList(program: Command, context: CliContext): void {
  program
    .command("list")
    .description("list the scaler's nodes")
    .option("--watch", "keep printing changes, one line each")
    .addHelpText(
      "after",
      `
Examples:
  genai-cli list
  genai-cli list --json | jq -r '.[].nodeId'
  genai-cli list --watch`,
    )
    .action(async ({ watch }: { watch?: boolean }, command: Command) => {
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      if (watch) return await watchNodes(scaler, context, settings.json);
      const { nodes } = await callScaler(scaler, "ListNodes", {});
      if (settings.json) context.stdout.write(`${JSON.stringify(nodes.map(nodeJson))}\n`);
      else
        context.stdout.write(
          table(
            NODE_HEAD,
            nodes.map((node) => nodeRow(node, Date.now())),
          ),
        );
      return undefined;
    });
}

/** Runs until Ctrl-C, or until the scaler goes away. */
async function watchNodes(scaler: ScalerConnection, context: CliContext, json: boolean): Promise<void> {
  const stream = scaler.client.watchNodes({}, scaler.metadata);
  context.signal.addEventListener("abort", () => stream.cancel());
  try {
    for await (const change of stream) {
      if (!change.node) continue;
      const type = change.type.replace("TYPE_", "").toLowerCase();
      context.stdout.write(
        json ? `${JSON.stringify({ type, node: nodeJson(change.node) })}\n` : changeLine(type, change.node),
      );
    }
  } catch (error) {
    if (!context.signal.aborted) throw scalerError(error, scaler.address);
  }
}

function changeLine(type: string, node: NodeInfo__Output): string {
  return table([type.padEnd(7), node.nodeId, node.platform, stateWord(node), node.image, node.message], []);
}
