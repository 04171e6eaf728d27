import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "@jest/globals";

/** `test` where containers can run; see engine-setup.ts. */
export const dockerTest: (name: string, body: () => Promise<void>, timeoutMs?: number) => void =
  process.env.GENAI_TEST_DOCKER === "no"
    ? (name, body, timeoutMs) => test.skip(`${name} [skipped: no Docker engine answers]`, body, timeoutMs)
    : test;

const run = promisify(execFile);

/** Runs docker's own client and returns what it printed, trimmed; throws with its complaint. At most 2 min. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", args, { timeout: 120_000, maxBuffer: 16 * 1024 ** 2 });
  return stdout.trim();
}

/** Address of this machine on a network of the engine: where containers reach a program on the host. */
export async function gatewayOf(network: string): Promise<string> {
  const format = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}";
  const [subnet = "", gateway = ""] = (await docker("network", "inspect", "-f", format, network)).split(" ");
  // The default bridge may tell its subnet alone; its gateway is the first address.
  return gateway === "" ? subnet.replace(/\d+\/\d+$/, "1") : gateway;
}

/** Ids of a cluster's containers, those of deleted nodes left out. `state`: only those that are in it. */
export async function containersOf(clusterId: string, state?: string): Promise<readonly string[]> {
  const filters = [`label=genai.cluster=${clusterId}`, ...(state === undefined ? [] : [`status=${state}`])];
  const lines = await docker(
    "ps",
    "-a",
    "--format",
    "{{.ID}} {{.Names}}",
    ...filters.flatMap((filter) => ["--filter", filter]),
  );
  return lines
    .split("\n")
    .filter((line) => line !== "" && !line.includes(" genai-deleted-"))
    .map((line) => line.split(" ")[0] ?? "");
}
