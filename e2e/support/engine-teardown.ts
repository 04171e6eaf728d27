import { spawnSync } from "node:child_process";

/** Once after all tests: removes the images that this run built. A run that was named from outside keeps them for the next one. */
export default function tearDown(): void {
  if (process.env.GENAI_TEST_DOCKER !== "yes" || process.env.GENAI_TEST_RUN !== `run-${process.pid}`) return;
  const docker = (...args: readonly string[]) =>
    spawnSync("docker", args, { encoding: "utf8", timeout: 60_000 }).stdout;
  const images = (docker("images", "--format", "{{.Repository}}:{{.Tag}}") ?? "")
    .split("\n")
    .filter((image) => image.startsWith("genai-local/") && image.endsWith(`:${process.env.GENAI_TEST_RUN}`));
  if (images.length > 0) docker("rmi", "-f", ...images);
}
