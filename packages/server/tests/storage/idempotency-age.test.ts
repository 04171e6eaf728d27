import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { connect, migrate } from "../../src/storage/sqlite/database-file.ts";
import { Writer } from "../../src/storage/sqlite/writer.ts";
import { inserted, newTask } from "./support/builders.ts";

const HOUR_MS = 3_600_000;

test("check 10: a key of idempotency counts for 24 hours of the store's clock, through sweeps, and not longer", () => {
  const folder = mkdtempSync(join(tmpdir(), "genai-keys-"));
  const file = join(folder, "tasks.db");
  const database = connect(file);
  try {
    migrate(database, file);
    let nowMs = Date.now();
    const writer = new Writer(database, () => nowMs);
    const submit = () => {
      const change = inserted(newTask(), { idempotency: { key: "k", bodyHash: "h" } });
      const [reply] = writer.run([{ call: "commit", request: { changes: [change], failures: 0 } }]);
      return reply;
    };
    const sweep = () =>
      writer.run([
        {
          call: "sweep",
          request: {
            taskTtlMs: 30 * 24 * HOUR_MS,
            artifactTtlMs: HOUR_MS,
            inputTtlMs: HOUR_MS,
            limit: 100,
            removedKeys: [],
          },
        },
      ]);
    expect(submit()).toMatchObject({ ok: true, reply: [[1, 1, "alice"]] });
    nowMs += 24 * HOUR_MS - 1_000;
    sweep();
    expect(submit()).toMatchObject({ ok: true, reply: [{ conflict: expect.any(String) }] });
    nowMs += 2_000;
    sweep();
    expect(submit()).toMatchObject({ ok: true, reply: [[2, 1, "alice"]] });
  } finally {
    database.close();
    rmSync(folder, { recursive: true });
  }
});
