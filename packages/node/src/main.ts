#!/usr/bin/env node
import { nodeProgram } from "./command-line/flags.ts";
import { describeNode, runNode } from "./run-node.ts";

await nodeProgram(async (flags) => {
  try {
    if (flags.dryRun) {
      const offer = await describeNode(flags, process.env);
      console.log(JSON.stringify(offer, null, 2));
      process.exit(offer.ready ? 0 : 1);
    }
    await runNode(flags, process.env);
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}).parseAsync();
