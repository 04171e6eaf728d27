import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { connect, migrate } from "../../src/storage/sqlite/database-file.ts";
import { Writer } from "../../src/storage/sqlite/writer.ts";
import { inserted, newTask } from "./support/builders.ts";

const HOUR_MS = 3_600_000;

/** A writer over a file of its own, whose clock the test moves. */
function setup() {
  const folder = mkdtempSync(join(tmpdir(), "genai-keys-"));
  const file = join(folder, "tasks.db");
  const database = connect(file);
  migrate(database, file);
  const clock = { nowMs: Date.now() };
  const writer = new Writer(database, () => clock.nowMs);
  return {
    clock,
    submit(key: string) {
      const change = inserted(newTask(), { idempotency: { key, bodyHash: "h" } });
      const [reply] = writer.run([{ call: "commit", request: { changes: [change], failures: 0 } }]);
      return reply;
    },
    sweep() {
      const request = {
        taskTtlMs: 30 * 24 * HOUR_MS,
        artifactTtlMs: HOUR_MS,
        inputTtlMs: HOUR_MS,
        limit: 10,
        removedKeys: [],
      };
      const [reply] = writer.run([{ call: "sweep", request }]);
      return reply;
    },
    keyCount: () => database.prepare("SELECT count(*) FROM idempotency_keys").pluck().get(),
    [Symbol.dispose]() {
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

test("check 10: a key of idempotency counts for 24 hours of the store's clock, through sweeps, and not longer", () => {
  using bundle = setup();
  const { clock, submit, sweep } = bundle;
  expect(submit("k")).toMatchObject({ ok: true, reply: [[1, 1, "alice"]] });
  clock.nowMs += 24 * HOUR_MS - 1_000;
  sweep();
  expect(submit("k")).toMatchObject({ ok: true, reply: [{ conflict: expect.any(String) }] });
  clock.nowMs += 2_000;
  sweep();
  expect(submit("k")).toMatchObject({ ok: true, reply: [[2, 1, "alice"]] });
});

test("a sweep says that there may be more as long as it finds its bite of old keys", () => {
  using bundle = setup();
  for (let count = 0; count < 25; count++) bundle.submit(`${count}`);
  bundle.clock.nowMs += 25 * HOUR_MS;
  expect([bundle.sweep(), bundle.sweep(), bundle.sweep()]).toMatchObject([
    { reply: { more: true } },
    { reply: { more: true } },
    { reply: { more: false } },
  ]);
  expect(bundle.keyCount()).toBe(0);
});
