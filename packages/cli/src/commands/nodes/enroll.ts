import { type Command, Option } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { decimal, integer } from "../../flag-values.ts";
import { connectServer } from "../../server/connect-server.ts";

interface EnrollFlags {
  readonly nodeId?: string;
  readonly uses: number;
  readonly hours: number;
}

export function addNodesEnroll(nodes: Command, context: CliContext): void {
  nodes
    .command("enroll")
    .description("print a token that a node exchanges for its own key; shown only once (administrators)")
    .option("--node-id <id>", "valid only for this node")
    .addOption(new Option("--uses <n>", "number of nodes it is valid for").argParser(integer).default(1))
    .addOption(new Option("--hours <n>", "how long it is valid, in hours").argParser(decimal).default(24))
    .addHelpText(
      "after",
      `
Examples:
  genai-node -b wss://genai.example.org --token $(genai-cli nodes enroll)
  genai-cli nodes enroll --uses 50 --hours 1`,
    )
    .action(async ({ nodeId, uses, hours }: EnrollFlags, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const body = { nodeId, uses, validForMs: Math.round(hours * 3_600_000) };
      const { body: enrolment } = await client.createEnrolment({ body });
      if (settings.json) context.stdout.write(`${JSON.stringify(enrolment)}\n`);
      else {
        context.stdout.write(`${enrolment.token}\n`);
        context.stderr.write(
          `Good for ${enrolment.uses === 1 ? "one node" : `${enrolment.uses} nodes`} until ${enrolment.expiresAt}. It is shown this once.\n`,
        );
      }
    });
}
