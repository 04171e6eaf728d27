import { spawnSync } from "node:child_process";
import { test } from "@jest/globals";

/** `test` where a Docker engine answers, as jest's globalSetup in e2e/support has found out. Without one it is skipped and says so, except
 *  with CI set: there it runs, and fails. */
export const dockerTest: (name: string, body: () => Promise<void>, timeoutMs?: number) => void =
  process.env.GENAI_TEST_DOCKER === "no"
    ? (name, body, timeoutMs) => test.skip(`${name} [skipped: no Docker engine answers]`, body, timeoutMs)
    : test;

/** Runs docker's own client and returns what it printed; throws with its complaint. */
export function docker(...args: readonly string[]): string {
  const run = spawnSync("docker", args, {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, DOCKER_BUILDKIT: "0" },
  });
  if (run.status !== 0) throw new Error(`docker ${args.join(" ")}: ${run.stderr || run.error}`);
  return run.stdout.trim();
}

/** What `docker inspect` says of one container. */
export function inspect(id: string): ContainerState {
  return JSON.parse(docker("inspect", id))[0];
}

interface ContainerState {
  readonly Id: string;
  readonly Name: string;
  readonly Config: { readonly User: string; readonly Env: readonly string[]; readonly Labels: Record<string, string> };
  readonly State: { readonly Status: string; readonly Running: boolean; readonly ExitCode: number };
  readonly HostConfig: Record<string, unknown>;
  readonly Mounts: readonly { readonly Source: string }[];
}

/** Removes every container of a cluster, as its owner at the end of a test. */
export function removeCluster(clusterId: string): void {
  const ids = docker("ps", "-aq", "--filter", `label=genai.cluster=${clusterId}`).split("\n").filter(Boolean);
  if (ids.length > 0) docker("rm", "-fv", ...ids);
}
