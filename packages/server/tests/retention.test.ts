import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { FolderArtifactStore } from "../src/artifacts/folder-artifact-store.ts";
import { Retention } from "../src/retention.ts";
import { openTaskStore } from "../src/storage/index.ts";
import { artifact, inserted, newTask, settled } from "./storage/support/builders.ts";

const HOUR_MS = 3_600_000;

test("a picture that could not be removed is removed later, and the others at once", async () => {
  const home = await mkdtemp(join(tmpdir(), "genai-retention-"));
  const store = await openTaskStore({ databaseUrl: null, home });
  const artifacts = await FolderArtifactStore.open(join(home, "artifacts"));
  const put = (key: string) => artifacts.put(key, Readable.from(["bytes"]), { bytesMax: 10 });
  try {
    const task = newTask({ createdAtMs: Date.now() - 2 * HOUR_MS });
    const pictures = ["attempts/a/0", "attempts/a/1", "attempts/a/2"].map((key) => artifact(key));
    const ended = settled(task.taskId, { artifacts: pictures, atMs: task.createdAtMs, attempt: null });
    await store.commit([inserted(task), ended]);
    await put("attempts/a/0");
    await put("attempts/a/2");
    // A folder where its file should be: that cannot be removed.
    await mkdir(join(home, "artifacts/attempts/a/1/inside"), { recursive: true });
    const ttl = { taskTtlMs: 24 * HOUR_MS, artifactTtlMs: HOUR_MS, inputTtlMs: HOUR_MS };
    const retention = new Retention({
      store,
      artifacts,
      ...ttl,
      logger: pino({ level: "silent" }),
      onExpired: () => {},
    });
    await expect(retention.bite()).rejects.toThrow();
    expect(await readdir(join(home, "artifacts/attempts/a"))).toEqual(["1"]);
    await expect(retention.bite()).rejects.toThrow();
    await rm(join(home, "artifacts/attempts/a/1"), { recursive: true });
    await put("attempts/a/1");
    expect([await retention.bite(), await retention.bite()]).toEqual([false, false]);
    expect(await readdir(join(home, "artifacts/attempts"))).toEqual([]);
    const { artifactKeys } = await store.sweep({ ...ttl, limit: 10, removedKeys: [] });
    expect(artifactKeys).toEqual([]);
  } finally {
    await store.close();
    await rm(home, { recursive: true });
  }
});
