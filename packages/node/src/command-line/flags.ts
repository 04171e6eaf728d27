import { Command, Option } from "commander";
import type { EngineType } from "../engines/engine.ts";
import { VERSION } from "../version.ts";
import { httpUrl, nodeIdText, nonNegative, webSocketUrl, wholeNumber } from "./flag-values.ts";

/** What the command line and the environment say. */
export interface Flags {
  /** Absent only with `dryRun`. */
  readonly backend?: string;
  readonly inference?: string;
  readonly type: EngineType;
  readonly models: string[];
  /** Credits for a task. */
  readonly minCost: number;
  readonly slots: number;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly home: string;
  readonly nodeId?: string;
  /** Seconds. */
  readonly drainTimeout: number;
  readonly once: boolean;
  readonly dryRun: boolean;
  readonly statusPort?: number;
  readonly allowPrivateInputs: boolean;
  readonly faultInjection: boolean;
  readonly stepMs: number;
}

const EXAMPLES = `
Examples:
  A node with the built-in test engine, beside a server on this machine:
    $ genai-node -b ws://127.0.0.1:8080 -t test
  A node beside ComfyUI, for a server elsewhere that asks for a join token:
    $ NODE_TOKEN_FILE=/run/secrets/node-token genai-node -b wss://genai.example.org -t comfyUI -i http://127.0.0.1:8188
  A node beside Automatic1111 or Forge that asks for name and password, at 2 credits a task:
    $ genai-node -b wss://genai.example.org -t automatic -i http://user:password@127.0.0.1:7860 --min-cost 2
  What this machine and its engine would offer, as JSON, without connecting to anything else:
    $ genai-node -t comfyUI --dry-run

Signals: SIGTERM or SIGINT drains (no new task, what runs is finished, up to --drain-timeout); a second one hands back what runs and leaves.
In the environment beside these: LOG_LEVEL (default info), CPU=true (the engine runs on the CPU: no GPU is told),
PROVISIONING_SCRIPT (path of a program that runs once before the node starts; a URL is left to the image, as ai-dock's are).
`;

/** The program's flags; `start` is called with them once they are read. */
export function nodeProgram(start: (flags: Flags) => Promise<void>): Command {
  const program: Command = new Command("genai-node")
    .description("Connects this machine's image engine to a genai server. Dials out only; needs no open port.")
    .version(VERSION)
    .addOption(
      new Option("-b, --backend <url>", "WebSocket URL of the server").env("BACKEND_SERVER").argParser(webSocketUrl),
    )
    .option("-i, --inference <url>", "HTTP URL of the engine; default the engine's own port on this machine", httpUrl)
    .addOption(
      new Option("-t, --type <engine>", "which engine it is")
        .choices(["automatic", "voltaml", "comfyUI", "test"])
        .default("test"),
    )
    .addOption(new Option("--models <names...>", "models to offer").default([], "the engine's own list"))
    .option("--min-cost <credits>", "price of a task on this node", nonNegative, 0)
    .option("--slots <n>", "tasks to run at once, 1 to 64", wholeNumber(1, 64), 1)
    .addOption(new Option("--token <token>", "join token").env("NODE_TOKEN"))
    .addOption(new Option("--token-file <path>", "file that holds the join token").env("NODE_TOKEN_FILE"))
    .addOption(
      new Option("--home <folder>", "where the node id and undelivered results are kept")
        .env("GENAI_NODE_HOME")
        .default("./.genai-node"),
    )
    .option("--node-id <id>", "id of this node, instead of the one in its home", nodeIdText)
    .option("--drain-timeout <seconds>", "how long running tasks may take to end after SIGTERM", nonNegative, 300)
    .option("--once", "run one task, deliver it and leave", false)
    .option(
      "--dry-run",
      "print what this node would offer as JSON and end: 0 with an engine that is ready, else 1",
      false,
    )
    .addOption(
      new Option("--status-port <port>", "serve a status page on this port of 127.0.0.1; 0 for any; default off")
        .env("NODE_STATUS_PORT")
        .argParser(wholeNumber(0, 65_535)),
    )
    .option("--allow-private-inputs", "fetch input images from private addresses too", false)
    .option("--fault-injection", "test engine: obey [[fault:fail|refuse|oom|hang|slow|bytes]] in prompts", false)
    .option("--step-ms <ms>", "test engine: how long each step takes beyond the drawing", nonNegative, 0)
    .addHelpText("after", EXAMPLES)
    .action((flags: Flags) => {
      if (flags.backend === undefined && !flags.dryRun)
        program.error("error: the server is not known: give --backend <url> or set BACKEND_SERVER");
      return start(flags);
    });
  return program;
}
