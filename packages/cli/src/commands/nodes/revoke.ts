import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";

export function addNodesRevoke(nodes: Command, context: CliContext): void {
  nodes
    .command("revoke <node-id>")
    .description("revoke a node's key and disconnect the node (administrators)")
    .addHelpText("after", "\nExamples:\n  genai-cli nodes revoke gpu-7")
    .action(async (nodeId: string, _flags: object, command: Command) => {
      await connectServer(command, context).client.revokeNodeKey({ params: { nodeId } });
    });
}
