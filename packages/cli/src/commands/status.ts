import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import { connectServer } from "../server/connect-server.ts";
import { facts } from "../terminal/facts.ts";
import { timeText } from "../terminal/units.ts";

export function addStatus(program: Command, context: CliContext): void {
  program
    .command("status")
    .description("show the state of the server, its nodes and its queue; exit code 5 if the server accepts no work")
    .addHelpText("after", "\nExamples:\n  genai-cli status\n  genai-cli status --json | jq .ready")
    .action(async (_flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body: readiness } = await client.ready();
      const reason = "reason" in readiness ? readiness.reason : null;
      if (reason !== null) throw new CliError("away", `The server at ${settings.server} takes no work: ${reason}.`);
      const [{ body: nodes }, { body: queue }] = await Promise.all([client.listNodes(), client.getQueue()]);
      const byState: Record<string, number> = {};
      for (const { state } of nodes.nodes) byState[state] = (byState[state] ?? 0) + 1;
      const { waiting, gpuMs, slots, idleSlots, own } = queue;
      if (settings.json) {
        const told = { server: settings.server, ready: true, nodes: byState, waiting, gpuMs, slots, idleSlots, own };
        context.stdout.write(`${JSON.stringify(told)}\n`);
        return;
      }
      const states = Object.entries(byState).map(([state, count]) => `${count} ${state}`);
      context.stdout.write(
        facts([
          ["server", `${settings.server} is ready`],
          ["nodes", states.join(", ") || "none"],
          ["slots", `${slots}, ${idleSlots} idle`],
          ["waiting", `${waiting} tasks, ${timeText(gpuMs)} of GPU time`],
          ["yours", `${own.waiting} waiting, ${own.running} running`],
        ]),
      );
    });
}
