import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { CreateTaskBody, V2Task } from "@genai/protocol";
import type { Client } from "@genai/protocol/client";
import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import { decimal, integer, pictureSize } from "../flag-values.ts";
import { apiError } from "../server/api-error.ts";
import { connectServer } from "../server/connect-server.ts";
import { followTask } from "../server/follow-task.ts";
import { artifactPaths, refuseClosedFolder, refuseExisting, saveArtifacts } from "../server/save-artifacts.ts";
import { createProgress, type Progress } from "../terminal/progress.ts";
import { progressFollower } from "../terminal/progress-follower.ts";

interface GenerateFlags {
  readonly size?: { readonly width: number; readonly height: number };
  readonly steps?: number;
  readonly model?: string;
  readonly negative?: string;
  readonly guidance?: number;
  readonly seed?: number;
  readonly count: number;
  readonly image?: string;
  readonly strength?: number;
  readonly maxCost?: number;
  readonly out: string;
  readonly force?: boolean;
  readonly timeout: number;
}

export function addGenerate(program: Command, context: CliContext): void {
  program
    .command("generate")
    .description("make a picture from a prompt and write it to a file")
    .argument("<prompt>", "what the picture shows")
    .addOption(new Option("--size <width>x<height>", "pixels, multiples of 8").argParser(pictureSize))
    .addOption(new Option("--steps <number>", "number of sampling steps").argParser(integer))
    .option("--model <name>", "model to use (default: the node's own)")
    .option("--negative <prompt>", "what the picture must not show")
    .addOption(new Option("--guidance <scale>", "how closely to follow the prompt").argParser(decimal))
    .addOption(new Option("--seed <number>", "the same seed gives the same picture").argParser(integer))
    .addOption(new Option("--count <number>", "number of pictures").argParser(integer).default(1))
    .option("--image <file>", "picture to start from")
    .addOption(new Option("--strength <share>", "how far to depart from --image, 0 to 1").argParser(decimal))
    .addOption(new Option("--max-cost <credits>", "maximum cost per task").argParser(decimal))
    .option("--out <file>", "where to write it; - for standard output", "picture.png")
    .option("--force", "overwrite existing files")
    .addOption(new Option("--timeout <seconds>", "longest wait for the picture").argParser(decimal).default(3600))
    .addHelpText(
      "after",
      `
Examples:
  genai-cli generate "a red fox in the snow" --size 512x512 --steps 20 --out fox.png
  genai-cli generate "a harbour at night" --count 4 --out harbour.png     writes harbour-1.png to harbour-4.png
  genai-cli generate "a fox" --out - | feh -`,
    )
    .action(async (prompt: string, flags: GenerateFlags, command: Command) => {
      const { client, settings } = connectServer(command, context);
      if (flags.out !== "-") {
        await refuseClosedFolder(flags.out);
        await refuseExisting(artifactPaths(flags.out, flags.count), { force: flags.force === true });
      }
      const body = await taskBody(prompt, flags);
      const progress = createProgress(context.stderr, settings.json);
      try {
        const task = await runTask(client, body, flags.timeout, progress, context.signal);
        const artifacts = picturesOf(task);
        const paths = await saveArtifacts(client, settings.server, artifacts, flags.out, context.stdout).catch(
          (error: unknown) => {
            throw stillThere(error, task.id, context.invocation);
          },
        );
        progress.end();
        if (settings.json) context.stdout.write(`${JSON.stringify({ taskId: task.id, files: paths, artifacts })}\n`);
        else for (const path of paths) context.stdout.write(`${path}\n`);
      } catch (error) {
        progress.end();
        throw error;
      }
    });
}

async function runTask(
  client: Client,
  body: TaskBody,
  timeoutSeconds: number,
  progress: Progress,
  interrupted: AbortSignal,
): Promise<V2Task> {
  const limit = AbortSignal.timeout(timeoutSeconds * 1000);
  const signal = AbortSignal.any([interrupted, limit]);
  // The key makes the request safe to send again, by us or by whatever lies between.
  const headers = { "idempotency-key": randomUUID() };
  let taskId: string | null = null;
  try {
    const { body: created } = await client.createTask({ body, headers, signal });
    taskId = created.id;
    progress.update(0, "Queued");
    return await followTask(client, taskId, progressFollower(progress), signal);
  } catch (error) {
    const known = taskId === null ? "The server may have the task." : `Task ${taskId} goes on at the server.`;
    if (interrupted.aborted) throw new CliError("interrupted", known);
    if (limit.aborted) throw new CliError("timeout", `No picture within ${timeoutSeconds} s. ${known}`);
    throw error;
  }
}

/** What was made and could not be saved is not lost. */
function stillThere(error: unknown, taskId: string, invocation: string): unknown {
  const told = error instanceof CliError ? error : apiError(error);
  return told?.with(`Task ${taskId} has the picture: ${invocation} tasks show ${taskId}.`) ?? error;
}

function picturesOf(task: V2Task): NonNullable<V2Task["result"]>["artifacts"] {
  if (task.state === "canceled") throw new CliError("failed", `Task ${task.id} was canceled.`);
  if (task.state === "failed") {
    throw new CliError(
      "failed",
      `Task ${task.id} failed: ${task.error?.message || task.error?.code || "no reason given"}.`,
    );
  }
  const artifacts = task.result?.artifacts ?? [];
  if (artifacts.length === 0) throw new CliError("failed", `Task ${task.id} succeeded and has no picture.`);
  return artifacts;
}

type TaskBody = Pick<CreateTaskBody, "pipeline"> & Partial<CreateTaskBody>;

async function taskBody(prompt: string, flags: GenerateFlags): Promise<TaskBody> {
  return {
    pipeline: {
      type: "standard",
      prompt,
      ...(flags.size && flags.size),
      ...(flags.steps !== undefined && { steps: flags.steps }),
      ...(flags.model !== undefined && { model: flags.model }),
      ...(flags.negative !== undefined && { negativePrompt: flags.negative }),
      ...(flags.guidance !== undefined && { guidanceScale: flags.guidance }),
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(flags.count !== 1 && { count: flags.count }),
      ...(flags.image !== undefined && { image: { base64: await readImage(flags.image) } }),
      ...(flags.strength !== undefined && { strength: flags.strength }),
    },
    ...(flags.maxCost !== undefined && { maxCost: flags.maxCost }),
  };
}

async function readImage(path: string): Promise<string> {
  try {
    return (await readFile(path)).toString("base64");
  } catch (error) {
    throw new CliError("usage", `${path} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
