import { join } from "node:path";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import pg from "pg";
import { LegacyNode } from "../support/legacy-node.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

const FOX = { pipeline: { type: "standard", prompt: "a fox", width: 64, height: 64, steps: 2 } };

/** The whole server while its store can't be written. */
async function trial(server: RealServer, unwritable: () => Promise<() => Promise<void>>): Promise<number> {
  const submit = (headers: Record<string, string> = {}) => postJson(`${server.url}/v2/tasks`, FOX, headers);
  const status = async (path: string) => (await rawHttp("GET", `${server.url}${path}`)).status;
  await using node = await LegacyNode.join(server.url, "n");
  const first = String((await submit()).json().id);
  const running = await node.nextTask();

  const writable = await unwritable();
  const startedAtMs = performance.now();
  const refused = await Promise.all(
    Array.from({ length: 9 }, async (_, index) => {
      const answer = await submit(index % 2 === 0 ? { "idempotency-key": `k${index % 3}` } : {});
      return { answer, afterMs: performance.now() - startedAtMs };
    }),
  );
  const slowestMs = Math.max(...refused.map(({ afterMs }) => afterMs));
  expect(refused.map(({ answer }) => answer.status)).toEqual(refused.map(() => 503));
  expect(refused.filter(({ answer }) => answer.headers["retry-after"] === undefined)).toEqual([]);
  await until("readiness falls", async () => (await status("/readyz")) === 503);
  expect(await status("/healthz")).toBe(200);
  expect(await status(`/v2/tasks/${first}`)).toBe(200);
  // What a node finishes meanwhile is told once it is stored.
  node.finish(running);
  expect((await postJson(`${server.url}/v2/tasks/${first}/cancel`, {})).status).toBe(503);

  await writable();
  await until("it is ready again", async () => (await status("/readyz")) === 200);
  const stateOf = async (id: string) => (await rawHttp("GET", `${server.url}/v2/tasks/${id}`)).json().state;
  await until("the first task is told to have succeeded", async () => (await stateOf(first)) === "succeeded");
  const later = String((await submit({ "idempotency-key": "k0" })).json().id);
  node.finish(await node.nextTask());
  await until("the later task has succeeded", async () => (await stateOf(later)) === "succeeded");
  const { tasks } = (await rawHttp("GET", `${server.url}/v2/tasks`)).json() as {
    readonly tasks: readonly { readonly id: string }[];
  };
  expect(tasks.map(({ id }) => id)).toEqual([later, first]);
  return slowestMs;
}

test("check 21: a PostgreSQL that may only be read refuses writes in time, and all goes on when it may be written", async () => {
  const databaseUrl = await postgres.database();
  const name = new URL(databaseUrl).pathname.slice(1);
  const readOnly = async (value: "on" | "off") => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`);
    await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name]);
    await client.end();
  };
  {
    await using server = await RealServer.start({ DATABASE_URL: databaseUrl });
    const slowestMs = await trial(server, async () => {
      await readOnly("on");
      return () => readOnly("off");
    });
    console.info(`check 21: a read-only PostgreSQL, slowest refusal ${Math.round(slowestMs)} ms`);
  }
  await postgres.drop(databaseUrl);
}, 60_000);

test("check 21: a SQLite file that is kept from us refuses writes in time, and all goes on when it may be written", async () => {
  await using server = await RealServer.start();
  const slowestMs = await trial(server, async () => {
    const holder = new Database(join(server.home, "tasks.db"));
    holder.exec("BEGIN IMMEDIATE");
    return async () => {
      holder.close();
    };
  });
  console.info(`check 21: a SQLite file that is kept from us, slowest refusal ${Math.round(slowestMs)} ms`);
}, 60_000);
