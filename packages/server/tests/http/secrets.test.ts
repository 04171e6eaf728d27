import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { readConfiguration } from "../../src/configuration/configuration.ts";
import { checkSecrets } from "../../src/identity/configured-authenticator.ts";
import { createLogger } from "../../src/logger.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const MAIN = join(import.meta.dirname, "../../src/entry.ts");
const HOOKS = join(import.meta.dirname, "../../../../.ci/typescript-hooks.js");

test("check 39: secrets of the environment, of files, tokens and prompts are in no log, answer, figure, database or process list", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-canary-"));
  const canary = (name: string): string => `canary-${name}-${"x".repeat(32)}`;
  const names = ["JWT_SECRET", "NODE_TOKEN", "METRICS_TOKEN", "WEBHOOK_SECRET", "SUPABASE_KEY"] as const;
  const environment: Record<string, string> = { SUPABASE_KEY: canary("SUPABASE_KEY") };
  for (const name of names.slice(0, 4)) {
    await writeFile(join(folder, name), canary(name));
    environment[`${name}_FILE`] = join(folder, name);
  }
  const home = join(folder, "home");
  const server = spawn(process.execPath, ["--import", HOOKS, "--conditions=@genai/source", MAIN], {
    env: {
      PATH: process.env.PATH,
      ...environment,
      GENAI_HOME: home,
      HTTP_PORT: "0",
      HOST: "127.0.0.1",
      LOG_LEVEL: "trace",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  const said = new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      log += chunk.toString();
      const address = /"addresses":\["([^"]+)"/.exec(log)?.[1];
      if (address !== undefined) resolve(`http://${address}`);
    };
    server.stdout.on("data", hear);
    server.stderr.on("data", hear);
    server.on("exit", () => reject(new Error(`the server did not start: ${log}`)));
  });
  try {
    const url = await said;
    const processes = await readFile(`/proc/${server.pid}/cmdline`, "utf8");
    const admin = { token: (await readFile(join(home, "admin.key"), "utf8")).trim() };
    const { secret } = (await postJson(`${url}/v2/keys`, { name: "k", user: "ann" }, admin)).json();
    const { token } = (await postJson(`${url}/v2/enrolments`, {}, admin)).json();
    const { key } = (await postJson(`${url}/v2/nodes/enrol`, { token, nodeId: "n" })).json();
    const hook = (await postJson(`${url}/v2/webhooks/secret`, {}, admin)).json().secret;
    const bad = canary("bad-token");
    const user = { token: String(secret) };
    const answers = [
      await rawHttp("GET", `${url}/v2/tasks`, { headers: { authorization: `Bearer ${bad}` } }),
      await postJson(`${url}/v1/tasks/`, { token: bad, standardPipeline: { prompt: canary("prompt") } }),
      await postJson(`${url}/v2/tasks`, { pipeline: { type: "standard", prompt: canary("prompt"), width: 7 } }, user),
      await rawHttp("POST", `${url}/v2/tasks`, {
        headers: { ...user, "content-type": "application/json" },
        body: `{"prompt":"${canary("prompt")}"`,
      }),
      await rawHttp("GET", `${url}/v2/keys`, { headers: admin }),
      await rawHttp("GET", `${url}/metrics`, { headers: { token: canary("METRICS_TOKEN") } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 400, 400, 200, 200]);
    server.removeAllListeners("exit");
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    await ended;
    const kept = await readdir(home, { recursive: true, withFileTypes: true });
    const databases = kept.filter((entry) => entry.isFile() && entry.name.startsWith("tasks.db"));
    const stored = await Promise.all(databases.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")));
    const places = { log, processes, answers: answers.map(({ text }) => text).join("\n"), stored: stored.join("\n") };
    const secrets = [...names.map(canary), bad, canary("prompt"), admin.token, secret, token, key, hook].map(String);
    const hits = Object.entries(places).flatMap(([place, text]) =>
      secrets.filter((each) => text.includes(each)).map((each) => `${each} in ${place}`),
    );
    console.info(
      `check 39: ${secrets.length} secrets looked for in ${log.split("\n").length} log lines, ${answers.length} answers, ${databases.length} database files, the process list: ${hits.length} hits`,
    );
    expect(hits).toEqual([]);
  } finally {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

test("check 39: a secret that everybody knows stops the start beyond this machine", () => {
  const logger = createLogger({ level: "silent", debug: null });
  const known = { JWT_SECRET: "super-secret-jwt-token-with-at-least-32-characters-long" };
  expect(() => checkSecrets(readConfiguration({ ...known, HOST: "0.0.0.0" }), logger)).toThrow(
    "JWT_SECRET is a secret from an example",
  );
  expect(() => checkSecrets(readConfiguration({ NODE_TOKEN: "changeme", HOST: "0.0.0.0" }), logger)).toThrow(
    "NODE_TOKEN",
  );
  expect(() => checkSecrets(readConfiguration(known), logger)).not.toThrow();
});

test("a proxy before a server without a join token is warned of at the start", () => {
  const warningsOf = (environment: Record<string, string>): string => {
    const warnings: string[] = [];
    const logger = pino({}, { write: (line) => warnings.push(JSON.parse(line).msg) });
    checkSecrets(readConfiguration(environment), logger);
    return warnings.join("\n");
  };
  expect(warningsOf({})).toBe("NODE_TOKEN is not set: any node may join from this machine");
  expect(warningsOf({ TRUST_PROXY: "loopback" })).toContain("TRUST_PROXY without NODE_TOKEN");
  expect(warningsOf({ PUBLIC_URL: "https://pictures.example.org" })).toContain("PUBLIC_URL without NODE_TOKEN");
  expect(warningsOf({ PUBLIC_URL: "https://pictures.example.org", NODE_TOKEN: "a-token-of-a-test" })).toBe("");
});
