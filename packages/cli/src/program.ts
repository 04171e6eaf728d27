import { Command } from "commander";
import type { CliContext } from "./cli-context.ts";
import { addCompletion } from "./commands/completion.ts";
import { addCreateNode } from "./commands/create-node.ts";
import { addDeleteNode } from "./commands/delete-node.ts";
import { addGenerate } from "./commands/generate.ts";
import { addKeys } from "./commands/keys.ts";
import { addList } from "./commands/list.ts";
import { addLogs } from "./commands/logs.ts";
import { addModels } from "./commands/models.ts";
import { addNodes } from "./commands/nodes.ts";
import { addOffers } from "./commands/offers.ts";
import { addPlan } from "./commands/plan.ts";
import { addQueue } from "./commands/queue.ts";
import { addStatus } from "./commands/status.ts";
import { addTasks } from "./commands/tasks.ts";
import { addUp } from "./commands/up.ts";
import { addUsage } from "./commands/usage.ts";
import { addSettingFlags } from "./settings.ts";
import { VERSION } from "./version.ts";

/** Every command, a file each, in the order of `--help`. A new one is a file in commands/ and a line here. */
const COMMANDS = [
  addGenerate,
  addTasks,
  addNodes,
  addQueue,
  addModels,
  addUsage,
  addStatus,
  addCreateNode,
  addDeleteNode,
  addList,
  addLogs,
  addOffers,
  addPlan,
  addUp,
  addKeys,
  addCompletion,
] as const;

/** The whole command line over a world of one's own. */
export function createProgram(context: CliContext): Command {
  const program = new Command("genai-cli");
  program
    .description("Pictures from the server and nodes from the scaler, on the command line.")
    .version(VERSION)
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .exitOverride();
  addSettingFlags(program);
  for (const add of COMMANDS) add(program, context);
  adviseHelp(program, "genai-cli");
  program.addHelpText(
    "after",
    `
Settings come from flags, then from the environment, then from ~/.config/genai/config.json.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 server or scaler unavailable, 6 timeout, 130 interrupted.`,
  );
  return program;
}

/** Has each command name its own help when it is used wrongly. */
function adviseHelp(command: Command, called: string): void {
  command.showHelpAfterError(`Try ${called} --help.`);
  for (const inner of command.commands) adviseHelp(inner, `${called} ${inner.name()}`);
}
