import { expect, test } from "@jest/globals";
import { dockerTest } from "../support/docker.ts";
import { figuresOf, tell } from "../support/figures.ts";
import { genaiCli } from "../support/genai-cli.ts";
import { localImages } from "../support/local-images.ts";
import { OwnEngine } from "../support/own-engine.ts";
import { WholeSystem } from "../support/whole-system.ts";

/** Only root may start an engine beside the machine's. */
const ownEngineTest =
  process.getuid?.() === 0
    ? dockerTest
    : (name: string, body: () => Promise<void>) => test.skip(`${name} [skipped: not root]`, body);

ownEngineTest(
  "an engine that stops takes its nodes with it and loses no task; when it is back the scaler goes on without a restart",
  async () => {
    await using engine = await OwnEngine.start();
    await engine.take((await localImages()).node);
    await using system = await WholeSystem.start({ engine, scalerEnv: { STOP_GRACE: "2s" } });
    const first = await system.createNode("first", ["--step-ms", "200"], { idempotencyKey: "the node" });
    await system.tasks.online(["first"]);
    const running = await system.tasks.submit({ prompt: "while the engine stops", steps: 100 });
    await system.tasks.runningOn(running);

    await engine.stop();
    const waiting = await system.tasks.submit({ prompt: "while there is no engine" });
    const sentence = expect.stringMatching(/the Docker engine does not answer .* Is it running\?$/);
    await expect(system.listNodes()).rejects.toMatchObject({ code: 14, details: sentence });
    await expect(system.createNode("nobody")).rejects.toMatchObject({ code: 14, details: sentence });
    await expect(system.deleteNode(first)).rejects.toMatchObject({ code: 14, details: sentence });
    const listed = await genaiCli(["list"], { GENAI_SCALER: system.scalerAddress });
    expect(listed.code).toBe(5);
    expect(listed.output).toMatch(/^genai-cli: .* Is it running\?\n$/);

    await engine.start();
    expect(await system.listNodes()).toMatchObject([{ nodeId: first, state: "NODE_STATE_FAILED" }]);
    const second = await system.createNode("second", [], { idempotencyKey: "the node" });
    expect(second).not.toBe(first);
    expect((await system.listNodes()).map(({ nodeId }) => nodeId)).toEqual([second]);
    const tasks = await system.tasks.ended([running, waiting], 90_000);
    const figures = figuresOf(tasks);
    tell("engine stopped and started", { ...figures, stops: 1 });
    expect(figures).toEqual({ tasks: 2, moved: 1, lost: 0, twice: 0 });
  },
  300_000,
);
