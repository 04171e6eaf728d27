import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { WriteConnection } from "../../src/storage/postgres/write-connection.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());

test("a connection that breaks again and again is one connection, and none is left behind", async () => {
  const url = await postgres.database();
  const connection = new WriteConnection(url, "a-server");
  const admin = new pg.Client(url);
  await admin.connect();
  const open = async (): Promise<number> => {
    const { rows } = await admin.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'genai-server'",
    );
    return rows[0].n;
  };
  const answers = (): Promise<boolean> =>
    connection.query({ text: "SELECT 1 AS one" }, 1_500).then(
      () => true,
      () => false,
    );
  try {
    for (let round = 0; round < 20; round++) {
      expect(await answers()).toBe(true);
      const ended = admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'genai-server'",
      );
      // Asked all the while: also between its first and its last word, when another is open already.
      let asking = true;
      const asked = (async () => {
        while (asking) await answers();
      })();
      await ended;
      await until("its backend is gone and another answers", answers);
      asking = false;
      await asked;
    }
    await until("one is open", async () => (await open()) === 1, 5_000);
    await connection.close();
    await until("none is left", async () => (await open()) === 0, 5_000);
  } finally {
    await connection.close();
    await admin.end();
    await postgres.drop(url);
  }
}, 60_000);
