import { expect } from "@jest/globals";
import { docker, dockerTest } from "../support/docker.ts";
import { figuresOf, tell } from "../support/figures.ts";
import { WholeSystem } from "../support/whole-system.ts";

dockerTest(
  "a busy node that is deleted finishes its task first, takes no other, and leaves its log behind",
  async () => {
    await using system = await WholeSystem.start();
    const containers = await system.createNodes(["leaving"], ["--step-ms", "300"]);
    const container = containers.get("leaving") ?? "";
    const busy = await system.tasks.submit({ prompt: "the last one", steps: 10 });
    await system.tasks.runningOn(busy);
    const removal = system.deleteNode(container);
    const waiting = await system.tasks.submit({ prompt: "for somebody else", steps: 2 });
    await removal;

    const [finished] = await system.tasks.ended([busy], 1_000);
    expect(finished?.attempts).toMatchObject([{ nodeId: "leaving", state: "succeeded" }]);
    expect(await system.listNodes()).toEqual([]);
    expect(await docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container)).toBe("exited 0");
    expect(await docker("logs", container)).toContain("draining");

    await system.createNode("coming");
    const tasks = await system.tasks.ended([busy, waiting], 30_000);
    const figures = figuresOf(tasks);
    tell("drain", figures);
    expect(figures).toEqual({ tasks: 2, moved: 0, lost: 0, twice: 0 });
    expect(tasks[1]?.attempts).toMatchObject([{ nodeId: "coming", state: "succeeded" }]);
  },
  300_000,
);
