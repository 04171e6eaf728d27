import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { readNodeKey } from "../src/node-key.ts";

/** A home, and a server that answers enrolments with `status`. */
async function setup(status = 201) {
  const home = await mkdtemp(join(tmpdir(), "genai-node-key-"));
  const bodies: unknown[] = [];
  const server = createServer(async (request, response) => {
    bodies.push(await json(request));
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ key: "genai_nk_own" }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const backend = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/?x=1`;
  const options = { home, backend, nodeId: "n1", logger: pino({ level: "silent" }) };
  return {
    home,
    bodies,
    read: (token: string | null, signal = new AbortController().signal) => readNodeKey({ ...options, token, signal }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(home, { recursive: true });
    },
  };
}

test("a node turns its enrolment token into a key once, keeps it for itself, and shows it from then on", async () => {
  await using bundle = await setup();
  expect(await bundle.read("genai_ne_token")).toBe("genai_nk_own");
  expect(bundle.bodies).toEqual([{ token: "genai_ne_token", nodeId: "n1" }]);
  const path = join(bundle.home, "node.key");
  expect([await readFile(path, "utf8"), (await stat(path)).mode & 0o777]).toEqual(["genai_nk_own\n", 0o600]);
  expect(await bundle.read("genai_ne_token")).toBe("genai_nk_own");
  expect(await bundle.read(null)).toBe("genai_nk_own");
  expect(bundle.bodies).toHaveLength(1);
});

test("a join token of all nodes is shown as it is, and none is none", async () => {
  await using bundle = await setup();
  expect(await bundle.read("shared")).toBe("shared");
  expect(await bundle.read(null)).toBeNull();
  expect(bundle.bodies).toEqual([]);
});

test.each([
  [401, "did not take the enrolment token"],
  [409, "Revoke it"],
])("an enrolment that is answered %i ends the start with a sentence", async (status, sentence) => {
  await using bundle = await setup(status);
  await expect(bundle.read("genai_ne_token")).rejects.toThrow(sentence);
});

test("a node that waits for the server that is to enrol it stops waiting when it is told to leave", async () => {
  await using bundle = await setup(503);
  const leave = new AbortController();
  const waiting = bundle.read("genai_ne_token", leave.signal);
  await until("the first call", () => bundle.bodies.length > 0);
  leave.abort(new Error("told to leave"));
  await expect(waiting).rejects.toThrow("told to leave");
});
