import type { Command } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { connectServer } from "../../server/connect-server.ts";

const WORDS = [
  {
    name: "drain",
    call: "drainNode",
    description: "give a node no more work; it finishes what is running (administrators)",
  },
  { name: "undrain", call: "undrainNode", description: "give a node work again (administrators)" },
] as const;

/** `nodes drain` and `nodes undrain`, for administrators. */
export function addNodesDrain(nodes: Command, context: CliContext): void {
  for (const { name, call, description } of WORDS) {
    nodes
      .command(name)
      .description(description)
      .argument("<node>", "id of the node")
      .addHelpText("after", `\nExamples:\n  genai-cli nodes ${name} gpu-7`)
      .action(async (nodeId: string, _flags: unknown, command: Command) => {
        const { client, settings } = connectServer(command, context);
        const { body } = await client[call]({ params: { nodeId } });
        context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : `${body.id} ${body.state}\n`);
      });
  }
}
