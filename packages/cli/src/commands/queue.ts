import type { V2Queue, V2QueueClass } from "@genai/protocol";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { connectServer } from "../server/connect-server.ts";
import { facts } from "../terminal/facts.ts";
import { table } from "../terminal/table.ts";
import { timeText } from "../terminal/units.ts";

export function addQueue(program: Command, context: CliContext): void {
  program
    .command("queue")
    .description("show what is waiting and the slots to serve it; for administrators also by class and user")
    .addHelpText("after", "\nExamples:\n  genai-cli queue\n  genai-cli queue --json | jq .waiting")
    .action(async (_flags: unknown, command: Command) => {
      const { client, settings } = connectServer(command, context);
      const { body } = await client.getQueue();
      context.stdout.write(settings.json ? `${JSON.stringify(body)}\n` : queueText(body));
    });
}

function queueText({ waiting, gpuMs, slots, idleSlots, own, classes, users }: V2Queue): string {
  return [
    facts([
      ["waiting", `${waiting} tasks, ${timeText(gpuMs)} of GPU time`],
      ["slots", `${slots}, ${idleSlots} idle`],
      [
        "yours",
        `${own.waiting} waiting, ${own.running} running${own.waiting === 0 ? "" : `, the oldest for ${timeText(own.oldestMs)}`}`,
      ],
    ]),
    classes === null || classes.length === 0
      ? ""
      : `\n${table(["CLASS", "WAITING", "GPU TIME", "NEXT", "SLOTS", "IDLE"], classes.map(classRow))}`,
    users === null || users.length === 0
      ? ""
      : `\n${table(
          ["USER", "WAITING", "RUNNING", "GPU TIME", "OLDEST"],
          users.map((user) => [
            user.userId,
            String(user.waiting),
            String(user.running),
            timeText(user.gpuMs),
            timeText(user.oldestMs),
          ]),
        )}`,
  ].join("");
}

function classRow(each: V2QueueClass): readonly string[] {
  const asks = [
    each.pipeline,
    each.engine,
    ...each.models,
    each.gpuType,
    each.vramBytesMin === null ? null : `${Math.ceil(each.vramBytesMin / 1024 ** 3)} GiB`,
    each.imageInput === "required" ? "image input" : null,
  ];
  return [
    asks.filter((asked) => asked !== null).join(", "),
    String(each.waiting),
    timeText(each.gpuMs),
    timeText(each.nextMs),
    String(each.fittingSlots),
    String(each.idleSlots),
  ];
}
