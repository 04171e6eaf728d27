/** Builds our images without any registry: the programs come from this machine's own build, the base from its own Node, and the stages
 *  from our Dockerfile. Needs `npm run build` before. Usage: `node docker/build-local-images.js tag [server|scaler|node …]`; prints the
 *  images' names, genai-local/server:tag and so on. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [tag = "latest", ...given] = process.argv.slice(2);
const targets = given.length > 0 ? given : ["server", "scaler", "node"];
const socketPath = process.env.DOCKER_HOST?.replace(/^unix:\/\//, "") ?? "/var/run/docker.sock";

const base = execFileSync(process.execPath, [join(root, "docker/make-base-image.js")], { encoding: "utf8" }).trim();
const built = `genai-local/built:${tag}`;
importPrograms(built);
for (const target of targets) {
  await build(target, `genai-local/${target}:${tag}`);
  process.stdout.write(`genai-local/${target}:${tag}\n`);
}
execFileSync("docker", ["rmi", built], { stdio: "ignore" });

/** Puts the programs, each with what it needs to run, under /out of an image. */
function importPrograms(image) {
  const folder = mkdtempSync(join(tmpdir(), "genai-out-"));
  try {
    for (const target of targets) {
      const out = join(folder, "out", target);
      const deploy = ["-y", "pnpm@12.21.0", "--filter", `@genai/${target}`, "deploy", "--prod", out];
      execFileSync("npx", deploy, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    }
    mkdirSync(join(folder, "out/data"));
    const tar = execFileSync("tar", ["--owner=0", "--group=0", "-C", folder, "-c", "out"], {
      maxBuffer: 2 * 1024 ** 3,
    });
    execFileSync("docker", ["import", "-", image], { input: tar, stdio: ["pipe", "ignore", "inherit"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Builds one stage of the Dockerfile by BuildKit, which passes over the stages that it doesn't need. The engine's own API is asked,
 *  because docker's clients need a plugin for it. */
function build(target, image) {
  const buildargs = JSON.stringify({ NODE_IMAGE: base, BUILT: built });
  const query = new URLSearchParams({ version: "2", target, t: image, buildargs, rm: "true" });
  const context = execFileSync("tar", ["-C", root, "-c", "Dockerfile"]);
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method: "POST", path: `/build?${query}`, headers: { "content-type": "application/x-tar" } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (piece) => {
          text += piece;
        });
        answer.on("end", () => {
          const error = /"error":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
          if (answer.statusCode === 200 && error === undefined) resolve();
          else reject(new Error(`Building ${target} failed: ${error ?? text.slice(-500)}`));
        });
      },
    );
    call.on("error", reject);
    call.end(context);
  });
}
