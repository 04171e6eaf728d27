import { setTimeout as pause } from "node:timers/promises";
import { expect } from "@jest/globals";
import { dockerTest, machinesEngine } from "../support/docker.ts";
import { figuresOf, tell } from "../support/figures.ts";
import { genaiCli } from "../support/genai-cli.ts";
import { WholeSystem } from "../support/whole-system.ts";

const tasksUnderLoad = 60;

dockerTest(
  "a server that is killed again and again under load loses no task that it took, and takes no result twice",
  async () => {
    await using system = await WholeSystem.start();
    await system.createNodes(["a", "b", "c"], ["--step-ms", "20"]);
    const kills = Number(process.env.E2E_SERVER_KILLS ?? 3);
    const submitted: Promise<string>[] = [];
    const submitting = (async () => {
      for (let n = 0; n < tasksUnderLoad; n += 1) {
        submitted.push(system.tasks.submit({ prompt: `under load ${n}`, steps: 10 }));
        await pause(60);
      }
    })();
    for (let kill = 0; kill < kills; kill += 1) {
      await pause(700);
      await system.server.end("SIGKILL");
      await system.startServer();
    }
    await submitting;
    const tasks = await system.tasks.ended(await Promise.all(submitted), 90_000);
    const figures = figuresOf(tasks);
    tell("server killed under load", { ...figures, kills });
    expect(figures).toMatchObject({ tasks: tasksUnderLoad, lost: 0, twice: 0 });
    await system.tasks.online(["a", "b", "c"]);
  },
  300_000,
);

dockerTest(
  "a scaler that is killed and comes back finds its nodes, which never noticed, and makes none twice",
  async () => {
    await using system = await WholeSystem.start();
    const first = await system.createNode("first", [], { idempotencyKey: "first" });
    await system.tasks.online(["first"]);
    const before = await system.listNodes();

    await system.scaler.end("SIGKILL");
    const id = await system.tasks.submit({ prompt: "while it is away" });
    const asked = await genaiCli(["list"], { GENAI_SCALER: system.scalerAddress });
    expect(asked).toEqual({
      code: 5,
      signal: null,
      output: `genai-cli: The scaler at ${system.scalerAddress} does not answer. Start it, or give its address with --scaler.\n`,
    });
    await system.startScaler();

    expect(await system.listNodes()).toEqual(before);
    expect(await system.createNode("first", [], { idempotencyKey: "first" })).toBe(first);
    expect(await machinesEngine.containersOf(system.clusterId)).toEqual([first]);
    await system.deleteNode(first);
    expect(await machinesEngine.containersOf(system.clusterId)).toEqual([]);
    const figures = figuresOf(await system.tasks.ended([id], 30_000));
    tell("scaler killed", { ...figures, kills: 1 });
    expect(figures).toEqual({ tasks: 1, moved: 0, lost: 0, twice: 0 });
  },
  300_000,
);
