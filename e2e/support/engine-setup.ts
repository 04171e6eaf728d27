import { spawnSync } from "node:child_process";

/** Once before all tests: asks whether a Docker engine answers, and tells every worker by `GENAI_TEST_DOCKER` (`yes` or `no`). The one
 *  place where it is decided what tests with containers do: with an engine they run; without one and with CI set they run, and fail;
 *  otherwise they are skipped, and this says so. */
export default function setUp(): void {
  const engine = spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], {
    encoding: "utf8",
    timeout: 20_000,
  });
  const answers = engine.status === 0;
  process.env.GENAI_TEST_DOCKER = answers || process.env.CI ? "yes" : "no";
  process.env.GENAI_TEST_RUN ??= `run-${process.pid}`;
  if (answers) return;
  const why = engine.error?.message ?? engine.stderr.trim().split("\n")[0] ?? "it gave no reason";
  const what = process.env.CI ? "fail, because CI is set" : "are skipped; start dockerd, or set CI to have them fail";
  process.stderr.write(`No Docker engine answers (${why}): the tests with containers ${what}.\n`);
}
