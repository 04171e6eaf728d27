import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "@jest/globals";

/** `test` where containers can run; see engine-setup.ts. */
export const dockerTest: (name: string, body: () => Promise<void>, timeoutMs?: number) => void =
  process.env.GENAI_TEST_DOCKER === "no"
    ? (name, body, timeoutMs) => test.skip(`${name} [skipped: no Docker engine answers]`, body, timeoutMs)
    : test;

const run = promisify(execFile);

/** A Docker engine, driven by docker's own client. */
export class Engine {
  /** As in DOCKER_HOST; null: as the environment says. */
  readonly host: string | null;
  /** Network that nodes are on. */
  readonly network: string;

  constructor(host: string | null, network: string) {
    this.host = host;
    this.network = network;
  }

  /** Runs a command of docker's client and returns what it printed, trimmed; throws with its complaint. At most 2 min. */
  async docker(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, ...(this.host !== null && { DOCKER_HOST: this.host }) };
    const { stdout } = await run("docker", args, { env, timeout: 120_000, maxBuffer: 16 * 1024 ** 2 });
    return stdout.trim();
  }

  /** Address of this machine on the nodes' network: where containers reach a program on the host. */
  async gateway(): Promise<string> {
    const format = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}";
    const told = await this.docker("network", "inspect", "-f", format, this.network);
    const [subnet = "", gateway = ""] = told.split(" ");
    // The default bridge may tell its subnet alone; its gateway is the first address.
    return gateway === "" ? subnet.replace(/\d+\/\d+$/, "1") : gateway;
  }

  /** Ids of a cluster's containers, those of deleted nodes left out. */
  async containersOf(clusterId: string): Promise<readonly string[]> {
    const label = `label=genai.cluster=${clusterId}`;
    const lines = await this.docker("ps", "-a", "--format", "{{.ID}} {{.Names}}", "--filter", label);
    return lines
      .split("\n")
      .filter((line) => line !== "" && !line.includes(" genai-deleted-"))
      .map((line) => line.split(" ")[0] ?? "");
  }

  /** Removes every container of a cluster with its volumes. */
  async removeCluster(clusterId: string): Promise<void> {
    const ids = await this.docker("ps", "-aq", "--filter", `label=genai.cluster=${clusterId}`);
    if (ids !== "") await this.docker("rm", "-fv", ...ids.split("\n"));
  }
}

/** The engine that the tests find running, which others may use at the same time. */
export const machinesEngine = new Engine(null, "bridge");

export const docker = (...args: readonly string[]): Promise<string> => machinesEngine.docker(...args);
