import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A container as the engine itself tells of it. */
export interface EngineContainer {
  /** Its first 12 characters, as the scaler gives it. */
  readonly id: string;
  readonly key: string;
  /** A deletion has given it another name. */
  readonly deleted: boolean;
  /** It has ended, and stays for its logs alone. */
  readonly ended: boolean;
}

/** The containers of one cluster, asked of the engine by docker's own client: what there is, whatever the scaler believes. */
export class ClusterContainers {
  readonly #label: string;

  constructor(clusterId: string) {
    this.#label = `label=genai.cluster=${clusterId}`;
  }

  async all(): Promise<readonly EngineContainer[]> {
    const format = '{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Label "genai.idempotency-key"}}';
    const text = await docker("ps", "-a", "--filter", this.#label, "--format", format);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [id = "", name = "", state = "", key = ""] = line.split("\t");
        return { id, key, deleted: name.startsWith("genai-deleted-"), ended: state === "exited", state };
      })
      .filter(({ state }) => state !== "removing" && state !== "dead");
  }

  async removeAll(): Promise<void> {
    const ids = (await this.all()).map(({ id }) => id);
    if (ids.length > 0) await docker("rm", "-fv", ...ids);
  }
}

/** Why this machine has no engine to try; null where one answers. */
export async function engineTrouble(): Promise<string | null> {
  try {
    await docker("version");
    return null;
  } catch (error) {
    return `No Docker engine answers: ${error instanceof Error ? error.message.trim().split("\n").at(-1) : error}`;
  }
}

async function docker(...args: readonly string[]): Promise<string> {
  return (await run("docker", args, { timeout: 120_000, maxBuffer: 16 * 1024 ** 2 })).stdout.trim();
}
