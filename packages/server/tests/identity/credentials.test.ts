import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { pino } from "pino";
import { Credentials } from "../../src/identity/credentials.ts";
import { openTaskStore } from "../../src/storage/index.ts";
import { Peer } from "../sessions/support/peer.ts";
import { registerFrame } from "../sessions/support/setup.ts";
import { MemoryCredentials } from "../support/memory-credentials.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";

const NODE_TOKEN = "shared-join-token-of-a-test";

/** A server with authentication on, and its administrator. */
async function setup() {
  const home = await mkdtemp(join(tmpdir(), "genai-identity-"));
  const server = await RealServer.start({ GENAI_HOME: home, ENFORCE_JWT_AUTH: "true", NODE_TOKEN });
  const admin = { token: (await readFile(join(home, "admin.key"), "utf8")).trim() };
  const enrol = async (nodeId: string): Promise<string> => {
    const { token } = (await postJson(`${server.url}/v2/enrolments`, {}, admin)).json();
    return String((await postJson(`${server.url}/v2/nodes/enrol`, { token, nodeId })).json().key);
  };
  const peers: Peer[] = [];
  return {
    home,
    server,
    admin,
    enrol,
    /** A node that says it is `nodeId`, in by this token. */
    node: async (nodeId: string, token: string): Promise<Peer> => {
      const headers = { authorization: `Bearer ${token}` };
      const peer = await Peer.connect(server.url.replace("http", "ws"), { headers, perMessageDeflate: false });
      peers.push(peer);
      peer.say(registerFrame(nodeId));
      return peer;
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.terminate();
      await server[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

test("an API key opens the API as its user until it is revoked, and is listed without its secret", async () => {
  await using bundle = await setup();
  const { server, admin } = bundle;
  const made = (await postJson(`${server.url}/v2/keys`, { name: "web shop", user: "shop" }, admin)).json();
  const key = made.key as { readonly id: string };
  const secret = String(made.secret);
  expect(secret).toMatch(/^genai_sk_[\w-]{43}$/);
  const usage = () => rawHttp("GET", `${server.url}/v2/usage`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await usage()).json()).toMatchObject({ userId: "shop" });
  const forbidden = await rawHttp("GET", `${server.url}/v2/keys`, { headers: { token: secret } });
  expect(forbidden.status).toBe(403);
  const list = await rawHttp("GET", `${server.url}/v2/keys`, { headers: admin });
  expect(list.json()).toMatchObject({
    keys: [{ id: key.id, name: "web shop", user: "shop", role: "user", revokedAt: null }],
  });
  expect(list.text).not.toContain(secret);
  await server.restart();
  expect((await usage()).status).toBe(200);
  expect((await rawHttp("DELETE", `${server.url}/v2/keys/${key.id}`, { headers: admin })).status).toBe(204);
  expect((await usage()).status).toBe(401);
  expect((await rawHttp("DELETE", `${server.url}/v2/keys/${key.id}`, { headers: admin })).status).toBe(404);
});

test("who hears of users' keys hears of each that is made, revoked or has expired, once", async () => {
  let nowMs = 1_000;
  const store = new MemoryCredentials();
  const credentials = new Credentials({ store, logger: pino({ level: "silent" }), wallMs: () => nowMs });
  const heard: string[] = [];
  credentials.onUserKeysChanged((userId) => heard.push(`${userId} ${credentials.limitsOf(userId).runningMax}`));
  const details = { name: "", role: "user", weight: null, queuedMax: null } as const;
  const { key } = await credentials.createApiKey("ann", { ...details, runningMax: 3 }, null);
  await credentials.createApiKey("bob", { ...details, runningMax: 1 }, 2_000);
  await credentials.revokeApiKey(key.keyId);
  nowMs = 2_000;
  await credentials.refresh();
  await credentials.refresh();
  expect(heard).toEqual(["ann 3", "bob 1", "ann undefined", "bob undefined"]);
});

test("a key's caps are its user's in the dispatcher, and an administrator's key may do what administrators do", async () => {
  await using bundle = await setup();
  const { server, admin } = bundle;
  const body = { name: "k", user: "small", queuedMax: 1, weight: 3 };
  const { secret } = (await postJson(`${server.url}/v2/keys`, body, admin)).json();
  const task = { pipeline: { type: "standard", prompt: "a" } };
  const create = () => postJson(`${server.url}/v2/tasks`, task, { token: String(secret) });
  expect((await create()).status).toBe(201);
  const full = await create();
  expect([full.status, full.json().code, Number(full.headers["retry-after"]) > 0]).toEqual([429, "queue_full", true]);
  const other = (await postJson(`${server.url}/v2/keys`, { name: "ops", user: "ops", role: "admin" }, admin)).json();
  const keys = await rawHttp("GET", `${server.url}/v2/keys`, { headers: { token: String(other.secret) } });
  expect(keys.status).toBe(200);
});

test("an API key ends when it expires", async () => {
  const home = await mkdtemp(join(tmpdir(), "genai-keys-"));
  const store = await openTaskStore({ databaseUrl: null, home });
  let nowMs = 1_000;
  const credentials = new Credentials({ store, logger: pino({ level: "silent" }), wallMs: () => nowMs });
  const details = { name: "k", role: "user", weight: 5, queuedMax: null, runningMax: 2 } as const;
  const { key } = await credentials.createApiKey("ann", details, 2_000);
  expect(credentials.limitsOf("ann")).toEqual({ weight: 5, runningMax: 2 });
  nowMs = 2_000;
  expect(credentials.limitsOf("ann")).toEqual({});
  expect(credentials.apiKeys(10).map(({ keyId }) => keyId)).toEqual([key.keyId]);
  await store.close();
  await rm(home, { recursive: true });
});

test("check 33: an enrolment token is good once, and the key that it gives is stored by its hash alone", async () => {
  await using bundle = await setup();
  const { server, admin, home } = bundle;
  const { token } = (await postJson(`${server.url}/v2/enrolments`, {}, admin)).json();
  const first = await postJson(`${server.url}/v2/nodes/enrol`, { token, nodeId: "n1" });
  const second = await postJson(`${server.url}/v2/nodes/enrol`, { token, nodeId: "n2" });
  expect([first.status, second.status]).toEqual([201, 401]);
  const key = String(first.json().key);
  expect(key).toMatch(/^genai_nk_[\w-]{43}$/);
  const database = new Database(join(home, "tasks.db"), { readonly: true });
  const rows = JSON.stringify(database.prepare("SELECT * FROM credentials").all());
  database.close();
  expect(rows).not.toContain(key);
  expect(rows).not.toContain(String(token));
  expect((await stat(home)).isDirectory()).toBe(true);
});

test("check 33: a token for one node, a made-up one and a node that has its key get none", async () => {
  await using bundle = await setup();
  const { server, admin } = bundle;
  const { token } = (await postJson(`${server.url}/v2/enrolments`, { nodeId: "n1", uses: 2 }, admin)).json();
  const enrol = async (given: unknown, nodeId: string) =>
    (await postJson(`${server.url}/v2/nodes/enrol`, { token: given, nodeId })).status;
  expect([
    await enrol(token, "n2"),
    await enrol("genai_ne_made-up", "n1"),
    await enrol(token, "n1"),
    await enrol(token, "n1"),
  ]).toEqual([401, 401, 201, 409]);
});

test("check 33: a node id with a key of its own is refused to every other credential, whether its node is there or not", async () => {
  await using bundle = await setup();
  const { node, enrol } = bundle;
  const [key, otherKey] = [await enrol("n1"), await enrol("n2")];
  const foreign = { code: 1008, reason: "this id belongs to another node" };
  expect(await (await node("n1", NODE_TOKEN)).closed).toEqual(foreign);
  expect(await (await node("n1", otherKey)).closed).toEqual(foreign);
  const own = await node("n1", key);
  expect(await own.next()).toMatchObject({ type: "registered" });
  expect(await (await node("n1", NODE_TOKEN)).closed).toEqual(foreign);
  const shared = await node("n3", NODE_TOKEN);
  expect(await shared.next()).toMatchObject({ type: "registered" });
});

test("check 33: who sat on an id with the shared token is put out when its node gets a key", async () => {
  await using bundle = await setup();
  const squatter = await bundle.node("n1", NODE_TOKEN);
  await squatter.next();
  const key = await bundle.enrol("n1");
  expect(await squatter.closed).toMatchObject({ code: 1008 });
  expect(await (await bundle.node("n1", key)).next()).toMatchObject({ type: "registered" });
});

test("check 33: a revoked node is disconnected within 2 s, and its key opens nothing more", async () => {
  await using bundle = await setup();
  const { server, admin, node, enrol } = bundle;
  const key = await enrol("n1");
  const own = await node("n1", key);
  await own.next();
  const startedAtMs = performance.now();
  expect((await rawHttp("DELETE", `${server.url}/v2/nodes/n1/key`, { headers: admin })).status).toBe(204);
  expect(await own.closed).toMatchObject({ code: 1008 });
  const tookMs = performance.now() - startedAtMs;
  console.info(`check 33: a revoked node was disconnected after ${Math.round(tookMs)} ms`);
  expect(tookMs).toBeLessThan(2_000);
  await expect(node("n1", key)).rejects.toThrow("401");
  expect(await (await node("n1", await enrol("n1"))).next()).toMatchObject({ type: "registered" });
});

test("check 33: what a revoked node ran goes to another node at once", async () => {
  await using bundle = await setup();
  const { server, admin, node, enrol } = bundle;
  const revoked = await node("n1", await enrol("n1"));
  await revoked.next();
  await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt: "a fox" } }, admin);
  const first = (await revoked.next()) as { type: string; attemptId: string };
  revoked.say({ type: "accepted", attemptId: first.attemptId });
  const other = await node("n2", await enrol("n2"));
  await other.next();
  const startedAtMs = performance.now();
  await rawHttp("DELETE", `${server.url}/v2/nodes/n1/key`, { headers: admin });
  const second = (await other.next()) as { type: string; attemptId: string };
  const tookMs = Math.round(performance.now() - startedAtMs);
  console.info(`check 33: the task of a revoked node was another's after ${tookMs} ms`);
  expect([first.type, second.type]).toEqual(["task", "task"]);
  expect(second.attemptId).not.toBe(first.attemptId);
});

test("check 33: two nodes that bring one token at once get one key between them", async () => {
  await using bundle = await setup();
  const { server, admin } = bundle;
  const { token } = (await postJson(`${server.url}/v2/enrolments`, {}, admin)).json();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => postJson(`${server.url}/v2/nodes/enrol`, { token, nodeId: `n${n}` })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 19 }, () => 401)]);
});

test("check 33: what another server revokes is heard of within 2 s", async () => {
  const home = await mkdtemp(join(tmpdir(), "genai-keys-"));
  const store = await openTaskStore({ databaseUrl: null, home });
  const options = { store, logger: pino({ level: "silent" }), wallMs: () => Date.now() };
  const [here, there] = [new Credentials(options), new Credentials(options)];
  await here.start();
  const { token } = await there.createEnrolment({ nodeId: null, uses: 1, expiresAtMs: Date.now() + 60_000 });
  await there.enrol(token, "n1");
  await here.refresh();
  const heard = new Promise((resolve) => here.onNodeKeyChanged(resolve));
  const startedAtMs = performance.now();
  await there.revokeNodeKey("n1");
  expect(await heard).toBe("n1");
  const tookMs = performance.now() - startedAtMs;
  console.info(`check 33: a key revoked elsewhere ended here after ${Math.round(tookMs)} ms`);
  expect(tookMs).toBeLessThan(2_000);
  here.close();
  await store.close();
  await rm(home, { recursive: true });
});
