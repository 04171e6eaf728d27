import { expect } from "@jest/globals";
import { docker, dockerTest } from "../support/docker.ts";
import { figuresOf, sharesOf, tell } from "../support/figures.ts";
import { WholeSystem } from "../support/whole-system.ts";

dockerTest(
  "the scaler makes two nodes, 50 tasks are spread over them, and every picture can be fetched and decoded",
  async () => {
    await using system = await WholeSystem.start();
    const containers = await system.createNodes(["left", "right"]);
    expect(new Set((await system.listNodes()).map(({ nodeId }) => nodeId))).toEqual(new Set(containers.values()));

    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, n) => system.tasks.submit({ prompt: `a fox, take ${n}`, width: 128, height: 64 })),
    );
    const tasks = await system.tasks.ended(ids, 60_000);
    const figures = figuresOf(tasks);
    const shares = sharesOf(tasks);
    const pictures = await Promise.all(tasks.map((task) => system.tasks.picture(task)));
    const different = new Set(pictures.map(({ pixels }) => Buffer.from(pixels).toString("latin1"))).size;
    tell("first picture", { ...figures, shares, pictures: pictures.length, different });

    expect(figures).toEqual({ tasks: 50, moved: 0, lost: 0, twice: 0 });
    expect(Object.keys(shares).sort()).toEqual(["left", "right"]);
    for (const { width, height } of pictures) expect([width, height]).toEqual([128, 64]);
    expect(different).toBe(50);
    for (const id of containers.values())
      expect(await docker("inspect", "-f", "{{.Config.User}}", id)).toBe("10001:10001");
  },
  300_000,
);
