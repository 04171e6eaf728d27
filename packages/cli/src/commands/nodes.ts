import { V2NewEnrolment } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { ApiClient } from "../server/api-client.ts";
import { serverToken } from "../server/server-token.ts";
import { readSettings } from "../settings.ts";

interface EnrollFlags {
  readonly nodeId?: string;
  readonly uses: string;
  readonly hours: string;
}

export function addNodes(program: Command, context: CliContext): void {
  const nodes = program.command("nodes").description("who may join the server as a node, for administrators");
  const client = (command: Command) => {
    const settings = readSettings(command, context);
    return { settings, api: new ApiClient(settings.server, serverToken(settings, context)) };
  };

  nodes
    .command("enroll")
    .description("make a token that a node turns into a key of its own; prints it, once")
    .option("--node-id <id>", "good for this node only")
    .option("--uses <n>", "how many nodes it is good for", "1")
    .option("--hours <n>", "how long it is good", "24")
    .addHelpText(
      "after",
      `
Examples:
  genai-node -b wss://genai.example.org --token $(genai-cli nodes enroll)
  genai-cli nodes enroll --uses 50 --hours 1`,
    )
    .action(async ({ nodeId, uses, hours }: EnrollFlags, command: Command) => {
      const { settings, api } = client(command);
      const body = { nodeId, uses: Number(uses), validForMs: Math.round(Number(hours) * 3_600_000) };
      const enrolment = await api.json({ method: "POST", path: "/v2/enrolments", body }, V2NewEnrolment);
      if (settings.json) context.stdout.write(`${JSON.stringify(enrolment)}\n`);
      else {
        context.stdout.write(`${enrolment.token}\n`);
        context.stderr.write(
          `Good for ${enrolment.uses} node(s) until ${enrolment.expiresAt}. It is shown this once.\n`,
        );
      }
    });

  nodes
    .command("revoke <node-id>")
    .description("end a node's own key; the node is disconnected at once")
    .action(async (nodeId: string, _flags: object, command: Command) => {
      const { api } = client(command);
      await api.open({ method: "DELETE", path: `/v2/nodes/${encodeURIComponent(nodeId)}/key` });
    });
}
