import type { V2TaskSummary } from "@genai/protocol";
import type { Client } from "@genai/protocol/client";
import { type Command, Option } from "commander";
import type { CliContext } from "../../cli-context.ts";
import { integer } from "../../flag-values.ts";
import { connectServer } from "../../server/connect-server.ts";
import { table } from "../../terminal/table.ts";
import { ageText } from "../../terminal/units.ts";

interface ListFlags {
  readonly state?: string;
  readonly model?: string;
  readonly metadata?: string;
  readonly limit: number;
}

/** Most tasks of one page, as the server has it. */
const PAGE = 200;

export function addTasksList(tasks: Command, context: CliContext): void {
  tasks
    .command("list")
    .description("list your tasks, newest first")
    .option("--state <states>", "only these states, comma-separated: queued, running, succeeded, failed, canceled")
    .option("--model <name>", "only tasks with this model")
    .option("--metadata <key:value>", "only tasks with this metadata")
    .addOption(new Option("--limit <number>", "maximum number of tasks").argParser(integer).default(50))
    .addHelpText(
      "after",
      `
Examples:
  genai-cli tasks list
  genai-cli tasks list --state queued,running --limit 500
  genai-cli tasks list --metadata order:4711 --json | jq -r '.[].id'`,
    )
    .action(async (flags: ListFlags, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const listed = await listTasks(client, flags);
      if (settings.json) context.stdout.write(`${JSON.stringify(listed)}\n`);
      else
        context.stdout.write(
          table(
            HEAD,
            listed.map((task) => row(task, Date.now())),
          ),
        );
    });
}

async function listTasks(client: Client, { limit, state, model, metadata }: ListFlags): Promise<V2TaskSummary[]> {
  const listed: V2TaskSummary[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: Math.min(PAGE, limit - listed.length), state, model, metadata, cursor };
    const { body } = await client.listTasks({ query: given(query) });
    listed.push(...body.tasks);
    cursor = body.next ?? undefined;
  } while (cursor !== undefined && listed.length < limit);
  return listed;
}

/** What is set of these values. */
function given<Values extends Record<string, unknown>>(
  values: Values,
): { [Name in keyof Values]?: NonNullable<Values[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Values]?: NonNullable<Values[Name]>;
  };
}

const HEAD = ["ID", "STATE", "AGE", "TOOK", "MODELS", "PICTURES", "ERROR"] as const;

function row(task: V2TaskSummary, nowMs: number): readonly string[] {
  return [
    task.id,
    task.state,
    ageText(task.createdAt, nowMs),
    task.settledAt === null ? "-" : ageText(task.createdAt, Date.parse(task.settledAt)),
    task.models.join(", ") || "-",
    String(task.result?.artifacts.length ?? "-"),
    task.error?.code ?? "",
  ];
}
