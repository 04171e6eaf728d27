import type { PlanCreateResponse__Output } from "@genai/protocol/scaler";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { callScaler } from "../scaler/call-scaler.ts";
import { connectScaler } from "../scaler/connect-scaler.ts";
import { addCreateFlags, type CreateFlags, createRequest } from "../scaler/create-request.ts";
import { readSettings } from "../settings.ts";
import { printable } from "../terminal/table.ts";

export function addPlan(program: Command, context: CliContext): void {
  addCreateFlags(program.command("plan"))
    .description("show what create-node would create and cost, without creating it")
    .addHelpText("after", "\nExamples:\n  genai-cli plan vastai wss://gpu.example.org --gpu 'RTX 4090'")
    .action(async (platform: string, backend: string, args: string[], flags: CreateFlags, command: Command) => {
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      const plan = await callScaler(scaler, "PlanCreate", createRequest(platform, backend, args, flags));
      context.stdout.write(settings.json ? `${JSON.stringify(toJson(plan))}\n` : inWords(plan));
    });
}

function toJson({ node, offer, existingNodeId, pull, warnings }: PlanCreateResponse__Output): object {
  return {
    platform: node?.platform,
    backend: node?.backend,
    image: node?.image,
    pricePerHour: node?.pricePerHour,
    gpu: node?.gpu,
    resources: node?.resources,
    offer,
    existingNodeId: existingNodeId || null,
    pull,
    warnings,
  };
}

function inWords({ node, offer, existingNodeId, pull, warnings }: PlanCreateResponse__Output): string {
  if (!node) return "Nothing would be made.\n";
  const lines = [
    existingNodeId
      ? `Node ${existingNodeId} has this key already and would be answered.`
      : `A node would run ${node.image} on ${node.platform}, for ${node.backend}.`,
    `It costs $${node.pricePerHour.toFixed(3)} an hour.`,
    ...(offer ? [`It would rent offer ${offer.offerId}: ${offer.gpus} × ${offer.gpu}, ${offer.location}.`] : []),
    ...(pull ? ["Its image would be pulled first."] : []),
    ...warnings.map((warning) => `Mind: ${warning}`),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
