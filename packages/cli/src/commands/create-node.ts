import type { CreateNodeProgress__Output, NodeInfo__Output } from "@genai/protocol/scaler";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import { scalerError } from "../scaler/call-scaler.ts";
import { connectScaler } from "../scaler/connect-scaler.ts";
import { addCreateFlags, type CreateFlags, createRequest } from "../scaler/create-request.ts";
import { nodeJson } from "../scaler/node-words.ts";
import { readSettings } from "../settings.ts";
import { createProgress } from "../terminal/progress.ts";

/** Longest that a creation may take, a large image's pull included. */
const CREATE_MS = 45 * 60_000;

export function addCreateNode(program: Command, context: CliContext): void {
  addCreateFlags(program.command("create-node"))
    .description("create a node and print its id")
    .addHelpText(
      "after",
      `
Examples:
  genai-cli create-node local ws://172.17.0.1:8080
  genai-cli create-node local ws://172.17.0.1:8080 --image genai/node --key first -- --type test
  genai-cli create-node vastai wss://gpu.example.org --gpu 'RTX 4090' --max-price 0.5`,
    )
    .action(async (platform: string, backend: string, args: string[], flags: CreateFlags, command: Command) => {
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      const progress = createProgress(context.stderr, settings.json);
      const stream = scaler.client.createNodeStream(createRequest(platform, backend, args, flags), scaler.metadata, {
        deadline: Date.now() + CREATE_MS,
      });
      context.signal.addEventListener("abort", () => stream.cancel());
      try {
        const node = await lastNode(stream, (step) => progress.update(step.progress ?? null, step.message));
        progress.end();
        context.stdout.write(settings.json ? `${JSON.stringify(nodeJson(node))}\n` : `${node.nodeId}\n`);
      } catch (error) {
        progress.end();
        if (context.signal.aborted)
          throw new CliError("interrupted", "Stopped; the scaler undoes what it began.", { cause: error });
        throw scalerError(error, scaler.address);
      }
    });
}

async function lastNode(
  stream: AsyncIterable<CreateNodeProgress__Output>,
  onStep: (step: CreateNodeProgress__Output) => void,
): Promise<NodeInfo__Output> {
  for await (const step of stream) {
    if (step.node) return step.node;
    onStep(step);
  }
  throw new CliError("failed", "The scaler ended the creation without a node. Look at its log, and at genai-cli list.");
}
