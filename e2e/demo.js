// The main job on real processes: a server, a test node, a prompt through the command line, a picture on the disk.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@genai/testing";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = (name) => join(root, "packages", name, "dist", "main.js");
const home = mkdtempSync(join(tmpdir(), "genai-demo-"));
const picture = resolve("demo.png");
const children = [];

const port = await freePort();
const server = `http://127.0.0.1:${port}`;
let failed = true;
try {
  console.log(`Starting a server on ${server} and one test node …`);
  start("server", [program("server")], { HTTP_PORT: String(port), GENAI_HOME: home });
  await answers(`${server}/readyz`, "the server");
  start(
    "node",
    [program("node"), "-b", `ws://127.0.0.1:${port}`, "-t", "test", "--step-ms", "60"].concat([
      "--home",
      join(home, "node"),
    ]),
    {},
  );
  await answers(`${server}/v1/nodes/health/`, "the node");
  const code = await run(
    [program("cli"), "generate", "a red fox in the snow, golden hour", "--size", "512x512", "--steps", "20"].concat([
      "--out",
      picture,
      "--force",
      "--server",
      server,
    ]),
  );
  if (code !== 0) throw new Error(`genai-cli generate ended with exit code ${code}`);
  const { width, height } = sizeOf(readFileSync(picture));
  console.log(`\nThe picture (${width}×${height}): ${picture}`);
  const docs = await fetch(`${server}/docs/`, { signal: AbortSignal.timeout(10_000) });
  if (!docs.ok) throw new Error(`${server}/docs/ answered ${docs.status}`);
  console.log(`The running API's documentation: ${server}/docs/  (npm start keeps a server up)`);
  failed = false;
} catch (error) {
  console.error(`The demo failed: ${error.message}`);
} finally {
  for (const child of children.reverse()) await stop(child);
  rmSync(home, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

function start(name, args, environment) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, GENAI_HOME: home, LOG_LEVEL: "warn", ...environment },
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.once("exit", (code) => {
    if (failed) console.error(`The ${name} ended with exit code ${code}`);
  });
  children.push(child);
}

async function run(args) {
  const child = spawn(process.execPath, args, { env: { ...process.env, GENAI_HOME: home }, stdio: "inherit" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  return code;
}

async function answers(url, who) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const ok = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    if (children.some((child) => child.exitCode !== null)) break;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`${who} did not come up`);
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await once(child, "exit");
  clearTimeout(timer);
}

function sizeOf(png) {
  if (png.subarray(0, 8).toString("latin1") !== "\x89PNG\r\n\x1a\n") throw new Error(`${picture} is no PNG`);
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}
