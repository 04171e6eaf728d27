import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import { callScaler } from "../scaler/call-scaler.ts";
import { connectScaler, type ScalerConnection } from "../scaler/connect-scaler.ts";
import { readSettings } from "../settings.ts";

/** A busy node finishes what it runs, as long as the scaler's STOP_GRACE lets it. */
const DELETE_MS = 15 * 60_000;

export function addDeleteNode(program: Command, context: CliContext): void {
  program
    .command("delete-node")
    .description("drain and remove nodes")
    .argument("[ids...]", "ids of nodes")
    .option("--all", "all nodes of the scaler")
    .addHelpText(
      "after",
      `
Examples:
  genai-cli delete-node 4e1f0a9c77d2
  genai-cli delete-node 4e1f0a9c77d2 8812345
  genai-cli delete-node --all`,
    )
    .action(async (ids: string[], { all }: { all?: boolean }, command: Command) => {
      if (all === ids.length > 0) throw new CliError("usage", "Give the ids of nodes, or --all, and not both.");
      if (!all && ids.length === 0) throw new CliError("usage", "Give the ids of nodes, or --all.");
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      const outcomes = await removeAll(scaler, all ? await allIds(scaler) : ids);
      for (const { nodeId, error } of outcomes) {
        if (settings.json)
          context.stdout.write(`${JSON.stringify({ nodeId, deleted: !error, error: error?.message ?? null })}\n`);
        else if (error) context.stderr.write(`${nodeId}: ${error.message}\n`);
        else context.stdout.write(`${nodeId}\n`);
      }
      if (context.signal.aborted)
        throw new CliError("interrupted", "Stopped waiting; the scaler goes on with the deletions that it began.");
      const [failed] = outcomes.flatMap(({ error }) => error ?? []);
      if (failed)
        throw outcomes.length === 1
          ? failed
          : new CliError("failed", "Not every node could be deleted.", { cause: failed });
    });
}

async function allIds(scaler: ScalerConnection): Promise<readonly string[]> {
  return (await callScaler(scaler, "ListNodes", {})).nodes.map((node) => node.nodeId);
}

/** All at once, so that their graces run side by side. */
function removeAll(
  scaler: ScalerConnection,
  ids: readonly string[],
): Promise<readonly { readonly nodeId: string; readonly error: CliError | null }[]> {
  return Promise.all(
    ids.map(async (nodeId) => {
      try {
        await callScaler(scaler, "DeleteNode", { nodeId }, DELETE_MS);
        return { nodeId, error: null };
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        return { nodeId, error };
      }
    }),
  );
}
