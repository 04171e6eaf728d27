import { setTimeout as pause } from "node:timers/promises";
import { expect } from "@jest/globals";
import { docker, dockerTest } from "../support/docker.ts";
import { figuresOf, tell } from "../support/figures.ts";
import { WholeSystem } from "../support/whole-system.ts";

/** Long enough to be met in the middle; short enough not to be waited for. */
const slow = ["--step-ms", "500"];
const steps = 12;

dockerTest(
  "a task outlives its container's end, its freezing and its loss of the network, and the node that comes back works on",
  async () => {
    await using system = await WholeSystem.start();
    const containers = await system.createNodes(["killed", "frozen", "cut", "spare"], slow);
    const container = (name: string) => containers.get(name) ?? "";
    const ids = await Promise.all(
      [...containers.keys()].map((name) => system.tasks.submit({ prompt: `for ${name}`, steps })),
    );
    const taskOf = new Map(await Promise.all(ids.map(async (id) => [await system.tasks.runningOn(id), id] as const)));
    expect(taskOf.size).toBe(4);

    await docker("kill", container("killed"));
    await docker("network", "disconnect", "bridge", container("cut"));
    await docker("pause", container("frozen"));
    await pause(20_000);
    await docker("unpause", container("frozen"));

    const tasks = await system.tasks.ended(ids, 90_000);
    const movedFrom = (name: string) => figuresOf(tasks.filter(({ id }) => id === taskOf.get(name))).moved;
    const moved = { killed: movedFrom("killed"), cut: movedFrom("cut"), frozen: movedFrom("frozen") };

    await docker("network", "connect", "bridge", container("cut"));
    await system.tasks.online(["frozen", "cut", "spare"]);
    const later = await Promise.all(
      Array.from({ length: 6 }, (_, n) => system.tasks.submit({ prompt: `afterwards ${n}`, steps: 2 })),
    );
    const afterwards = await system.tasks.ended(later, 60_000);
    const back = new Set(afterwards.flatMap(({ attempts }) => attempts.map(({ nodeId }) => nodeId)));

    const figures = figuresOf([...tasks, ...afterwards]);
    tell("node faults", { ...figures, kills: 1, pauses: 1, cuts: 1, movedOf: moved, workedAfterwards: [...back] });
    expect(figures).toMatchObject({ tasks: 10, lost: 0, twice: 0 });
    expect(moved).toMatchObject({ killed: 1, cut: 1 });
    expect([...back]).toEqual(expect.arrayContaining(["frozen", "cut", "spare"]));
    const failed = (await system.listNodes()).find(({ nodeId }) => nodeId === container("killed"));
    expect(failed).toMatchObject({ state: "NODE_STATE_FAILED", exitCode: 137 });
    expect(failed?.lastLogLines.length).toBeGreaterThan(0);
  },
  300_000,
);
