import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addNodesDrain } from "./nodes/drain.ts";
import { addNodesEnroll } from "./nodes/enroll.ts";
import { addNodesList } from "./nodes/list.ts";
import { addNodesRevoke } from "./nodes/revoke.ts";

export function addNodes(program: Command, context: CliContext): void {
  const nodes = program.command("nodes").description("manage the server's nodes and their keys");
  for (const add of [addNodesList, addNodesDrain, addNodesEnroll, addNodesRevoke]) add(nodes, context);
}
