import type { CreateNodeRequest } from "@genai/protocol/scaler";
import { type Command, Option } from "commander";
import { bytes, decimal, integer, nameValue } from "../flag-values.ts";

/** Flags that `create-node` and `plan` share. */
export interface CreateFlags {
  readonly image?: string;
  readonly provScript?: string;
  readonly vastaiIid?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly label: Readonly<Record<string, string>>;
  readonly nodeToken?: string;
  readonly key?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly gpus?: number;
  readonly gpu?: string;
  readonly vram?: number;
  readonly maxPrice?: number;
  readonly minReliability?: number;
  readonly network?: string;
}

export function addCreateFlags(command: Command): Command {
  return command
    .argument("<platform>", "local or vastai")
    .argument("<backend>", "WebSocket URL of the server, as seen by the node")
    .argument("[args...]", "arguments for the node's program, after --")
    .option("--image <image>", "image to run (default: the scaler's)")
    .option("--prov-script <script>", "provisioning script (default: the scaler's)")
    .addOption(new Option("--vastai-iid <offer>", "vast.ai offer to rent (default: the cheapest)").argParser(integer))
    .addOption(
      new Option("--env <name=value>", "environment variable of the node; may be repeated")
        .argParser(nameValue)
        .default({}, "none"),
    )
    .addOption(
      new Option("--label <name=value>", "label of the node; may be repeated").argParser(nameValue).default({}, "none"),
    )
    .option("--node-token <token>", "join token for the node (default: the scaler's NODE_TOKEN)")
    .option("--key <key>", "idempotency key: the same key creates only one node")
    .addOption(new Option("--memory <size>", "memory limit, like 8g").argParser(bytes))
    .addOption(new Option("--cpus <number>", "CPU limit").argParser(decimal))
    .addOption(new Option("--gpus <number>", "GPUs to give the node; -1 for all").argParser(integer))
    .option("--gpu <type>", "GPU to rent, like 'RTX 4090'")
    .addOption(new Option("--vram <size>", "minimum GPU memory of an offer, like 24g").argParser(bytes))
    .addOption(new Option("--max-price <dollars>", "maximum price of an offer per hour").argParser(decimal))
    .addOption(new Option("--min-reliability <share>", "minimum reliability of an offer, 0 to 1").argParser(decimal))
    .option("--network <name>", "Docker network of the node");
}

/** The request of those flags. */
export function createRequest(
  platform: string,
  backend: string,
  args: readonly string[],
  flags: CreateFlags,
): CreateNodeRequest {
  return {
    platform,
    backend,
    image: flags.image ?? "",
    provScript: flags.provScript ?? "",
    ...(flags.vastaiIid !== undefined && { vastaiIid: flags.vastaiIid }),
    env: { ...flags.env },
    labels: { ...flags.label },
    nodeToken: flags.nodeToken ?? "",
    idempotencyKey: flags.key ?? "",
    resources: { memoryBytes: String(flags.memory ?? 0), cpus: flags.cpus ?? 0, gpus: flags.gpus ?? 0 },
    filter: offerFilter(flags),
    args: [...args],
    network: flags.network ?? "",
  };
}

export function offerFilter(
  flags: Pick<CreateFlags, "gpu" | "vram" | "maxPrice" | "minReliability">,
): NonNullable<CreateNodeRequest["filter"]> {
  return {
    gpuType: flags.gpu ?? "",
    vramBytesMin: String(flags.vram ?? 0),
    pricePerHourMax: flags.maxPrice ?? 0,
    reliabilityMin: flags.minReliability ?? 0,
  };
}
