import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addTasksCancel } from "./tasks/cancel.ts";
import { addTasksExplain } from "./tasks/explain.ts";
import { addTasksList } from "./tasks/list.ts";
import { addTasksRetry } from "./tasks/retry.ts";
import { addTasksShow } from "./tasks/show.ts";
import { addTasksWatch } from "./tasks/watch.ts";

export function addTasks(program: Command, context: CliContext): void {
  const tasks = program.command("tasks").description("manage your tasks on the server");
  for (const add of [addTasksList, addTasksShow, addTasksCancel, addTasksRetry, addTasksWatch, addTasksExplain]) {
    add(tasks, context);
  }
}
