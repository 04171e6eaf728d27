import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { connectServer } from "../server/connect-server.ts";
import { table } from "../terminal/table.ts";

export function addModels(program: Command, context: CliContext): void {
  program
    .command("models")
    .description("list the models that the nodes offer, and which nodes have them in memory")
    .addHelpText("after", "\nExamples:\n  genai-cli models\n  genai-cli models --json | jq -r '.models[].name'")
    .action(async (_flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.listModels();
      if (settings.json) {
        context.stdout.write(`${JSON.stringify(body)}\n`);
        return;
      }
      const rows = body.models.map(({ name, nodes, warmOn }) => [name, String(nodes), warmOn.join(", ") || "-"]);
      if (rows.length > 0) context.stdout.write(table(["MODEL", "NODES", "WARM ON"], rows));
      const all = body.nodesOfferingAll;
      if (all > 0)
        context.stdout.write(
          all === 1 ? "1 node names no models: it takes all.\n" : `${all} nodes name no models: they take all.\n`,
        );
      else if (rows.length === 0) context.stdout.write("No node is connected that offers a model.\n");
    });
}
