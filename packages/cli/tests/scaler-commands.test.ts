import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";
import { startScalerStandIn } from "./support/scaler-stand-in.ts";

const backend = "ws://172.17.0.1:8080";

test("create-node prints the id alone, and its progress beside it", async () => {
  await using scaler = await startScalerStandIn();
  const run = await genai(["create-node", "local", backend, "--scaler", scaler.address]);
  expect(run).toEqual({
    exitCode: 0,
    stdout: "000000000001\n",
    stderr: "Pulling genai/node 20%\nPulling genai/node 90%\n",
  });
});

test("every flag of create-node reaches the scaler", async () => {
  await using scaler = await startScalerStandIn();
  const flags = "--image a/b:1 --prov-script s --vastai-iid 7 --env A=b=c --env D= --label team=blue --key k".split(
    " ",
  );
  const limits = "--node-token t --memory 1.5g --cpus 0.5 --gpus -1 --vram 24g --max-price 0.5 --network n".split(" ");
  await genai([
    "create-node",
    "local",
    backend,
    ...flags,
    ...limits,
    "--gpu",
    "RTX 4090",
    "--scaler",
    scaler.address,
    "--",
    "--type",
    "test",
  ]);
  expect(scaler.requests).toMatchObject([
    {
      platform: "local",
      backend,
      image: "a/b:1",
      provScript: "s",
      vastaiIid: 7,
      env: { A: "b=c", D: "" },
      labels: { team: "blue" },
      idempotencyKey: "k",
      nodeToken: "t",
      resources: { memoryBytes: "1610612736", cpus: 0.5, gpus: -1 },
      filter: { gpuType: "RTX 4090", vramBytesMin: "25769803776", pricePerHourMax: 0.5 },
      network: "n",
      args: ["--type", "test"],
    },
  ]);
});

test("list is a table, or JSON", async () => {
  await using scaler = await startScalerStandIn();
  await genai(["create-node", "local", backend, "--scaler", scaler.address]);
  const { stdout } = await genai(["list", "--scaler", scaler.address]);
  expect(stdout).toMatch(
    /^ID +PLATFORM +BACKEND +IMAGE +STATE +PRICE\/H +AGE\n000000000001 +local +ws:\/\/172\.17\.0\.1:8080 +genai\/node +running +- +\d+d\n$/,
  );
  const json = await genai(["list", "--json", "--scaler", scaler.address]);
  expect(JSON.parse(json.stdout)).toMatchObject([
    { nodeId: "000000000001", state: "running", createdAt: "2023-11-14T22:13:20.000Z" },
  ]);
});

test("a node's words can't move the cursor", async () => {
  await using scaler = await startScalerStandIn();
  scaler.nodes.set("x", { nodeId: "x", image: "evil\u001b[2J", state: "NODE_STATE_FAILED", exitCode: 3 });
  const { stdout } = await genai(["list", "--scaler", scaler.address]);
  expect(stdout).not.toContain("\u001b");
  expect(stdout).toContain("failed (3)");
});

test("list --watch tells what is there and ends with Ctrl-C", async () => {
  await using scaler = await startScalerStandIn();
  await genai(["create-node", "local", backend, "--scaler", scaler.address]);
  const interrupt = new AbortController();
  const run = await genai(["list", "--watch", "--scaler", scaler.address], {
    signal: interrupt.signal,
    onOutput: () => interrupt.abort(),
  });
  expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^added +000000000001 +local +running/) });
});

test("delete-node takes several ids, and tells which of them it could not delete", async () => {
  await using scaler = await startScalerStandIn();
  for (let n = 0; n < 3; n += 1) await genai(["create-node", "local", backend, "--scaler", scaler.address]);
  const run = await genai(["delete-node", "000000000001", "nobody", "000000000002", "--scaler", scaler.address]);
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toBe("000000000001\n000000000002\n");
  expect(run.stderr).toContain("nobody: There is no node nobody.\n");
  expect((await genai(["delete-node", "nobody", "--scaler", scaler.address])).exitCode).toBe(3);
  expect(await genai(["delete-node", "--all", "--scaler", scaler.address])).toMatchObject({
    exitCode: 0,
    stdout: "000000000003\n",
  });
  expect(scaler.nodes.size).toBe(0);
});

test.each([
  [["create-node", "local", backend], "the scaler undoes what it began"],
  [["delete-node", "000000000001"], "the scaler goes on"],
  [["delete-node", "000000000001", "000000000002"], "the scaler goes on"],
  [["list"], "Stopped waiting"],
] as const)("Ctrl-C ends the wait of %j with exit code 130", async (args, sentence) => {
  await using scaler = await startScalerStandIn();
  const interrupt = new AbortController();
  scaler.silence(() => interrupt.abort());
  const run = await genai([...args, "--scaler", scaler.address], { signal: interrupt.signal });
  expect(run).toMatchObject({ exitCode: 130, stdout: "", stderr: expect.stringContaining(sentence) });
});

test("delete-node without an id is refused before anything is asked", async () => {
  for (const args of [[], ["a", "--all"]]) {
    const run = await genai(["delete-node", ...args, "--scaler", "127.0.0.1:1"]);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  }
});

test("logs keep what went to standard error apart", async () => {
  await using scaler = await startScalerStandIn();
  expect(await genai(["logs", "000000000001", "--scaler", scaler.address])).toEqual({
    exitCode: 0,
    stdout: "to out\n",
    stderr: "to err\n",
  });
});

test("offers and plan are tables and sentences, or JSON", async () => {
  await using scaler = await startScalerStandIn();
  expect((await genai(["offers", "--scaler", scaler.address])).stdout).toMatch(
    /7 +1 × RTX 4090 +24 GB +\$0\.310 +99\.5 % +Sweden, SE/,
  );
  expect(JSON.parse((await genai(["offers", "--json", "--scaler", scaler.address])).stdout)).toMatchObject([
    { vramBytes: 25769803776 },
  ]);
  const plan = await genai(["plan", "local", backend, "--scaler", scaler.address]);
  expect(plan.stdout).toBe(
    `A node would run genai/node on local, for ${backend}.\nIt costs $0.000 an hour.\nIts image would be pulled first.\nMind: Careful.\n`,
  );
});

test("a scaler that is away is one sentence and exit code 5", async () => {
  for (const args of [["list"], ["create-node", "local", backend], ["logs", "x"], ["list", "--watch"]]) {
    expect(await genai([...args, "--scaler", "127.0.0.1:1"])).toMatchObject({
      exitCode: 5,
      stdout: "",
      stderr: expect.stringContaining(
        "genai-cli: The scaler at 127.0.0.1:1 does not answer. Start it, or give its address with --scaler.\n",
      ),
    });
  }
});

test("a refusal is the scaler's sentence, and with --json a line of JSON", async () => {
  await using scaler = await startScalerStandIn();
  const run = await genai(["create-node", "moon", backend, "--scaler", scaler.address]);
  expect(run).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: "genai-cli: Platform moon is unknown here; there is local.\n",
  });
  const json = await genai(["create-node", "moon", backend, "--json", "--scaler", scaler.address]);
  expect(JSON.parse(json.stderr)).toEqual({ error: "Platform moon is unknown here; there is local." });
});

test("a flag wins over the environment, and the environment over the file", async () => {
  await using scaler = await startScalerStandIn();
  const home = mkdtempSync(join(tmpdir(), "cli-home-"));
  try {
    mkdirSync(join(home, ".config/genai"), { recursive: true });
    writeFileSync(
      join(home, ".config/genai/config.json"),
      JSON.stringify({ scaler: scaler.address, scalerToken: "file" }),
    );
    await genai(["list"], { env: { HOME: home } });
    await genai(["list"], { env: { HOME: home, SCALER_TOKEN: "env" } });
    await genai(["list", "--scaler-token", "flag"], { env: { HOME: home, SCALER_TOKEN: "env" } });
    expect(scaler.credentials).toEqual(["Bearer file", "Bearer env", "Bearer flag"]);
    writeFileSync(join(home, ".config/genai/config.json"), JSON.stringify({ scalr: "x" }));
    expect((await genai(["list"], { env: { HOME: home } })).stderr).toMatch(/Unrecognized key/);
    writeFileSync(join(home, ".config/genai/config.json"), "{");
    expect(await genai(["list"], { env: { HOME: home } })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("holds no JSON object"),
    });
  } finally {
    rmSync(home, { recursive: true });
  }
});

test("every command explains itself with examples, and completes in three shells", async () => {
  const { stdout } = await genai(["--help"]);
  const names = [...stdout.matchAll(/^ {2}([a-z-]+) .*/gm)].map(([, name]) => name ?? "");
  const commands = names.filter((name) => !["help", "completion"].includes(name) && !name.startsWith("-"));
  expect(commands).toEqual(
    expect.arrayContaining(["generate", "create-node", "delete-node", "list", "logs", "offers", "plan"]),
  );
  for (const name of commands) expect((await genai([name, "--help"])).stdout).toContain(`genai-cli ${name}`);
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = (await genai(["completion", shell])).stdout;
    for (const name of commands) expect(script).toContain(name);
  }
});
