import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AttemptId, ResultFrame } from "@genai/protocol";
import { NO_TRACING } from "@genai/tracing";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { FinishedResults } from "../src/finished-results.ts";
import { Spool } from "../src/spool/spool.ts";

/** A result in a spool, and a server that answers every path but `/mute/` at once. */
async function setup() {
  const home = mkdtempSync(join(tmpdir(), "genai-node-"));
  const paths: string[] = [];
  const http = createServer((request, response) => {
    const path = request.url ?? "";
    paths.push(path);
    request.resume();
    if (!path.startsWith("/mute/")) request.on("end", () => response.writeHead(204).end());
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  const attemptId = randomUUID() as AttemptId;
  const { spool } = await Spool.open(home);
  const artifact = {
    ...(await spool.writeArtifact(attemptId, 0, { bytes: Buffer.from("picture") })),
    mime: "image/png",
  };
  const final: ResultFrame = { type: "result", attemptId, artifacts: [artifact], metrics: {} };
  const record = { final, uploadUrl: "/mute/{n}", traceparent: null };
  await spool.writeRecord(attemptId, record);
  const results = new FinishedResults({
    spool,
    tracing: NO_TRACING,
    logger: pino({ level: "silent" }),
    resolveUrl: (url) => new URL(url, `http://127.0.0.1:${(http.address() as AddressInfo).port}`).href,
  });
  results.keep(record);
  return {
    attemptId,
    home,
    http,
    paths,
    results,
    upload: (uploadUrl: string) => results.upload({ attemptId, uploadUrl, missing: null }),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

test("a fresh URL takes the place of one whose upload hangs, and is what the next process begins with", async () => {
  await using bundle = await setup();
  const asked = once(bundle.http, "request");
  const hanging = bundle.upload("/mute/{n}");
  await asked;
  expect(await bundle.upload("/mute/{n}")).toBeNull();
  expect(await bundle.upload("/fresh/{n}")).toBe("uploaded");
  expect(await hanging).toBeNull();
  expect(bundle.paths).toEqual(["/mute/0", "/fresh/0"]);
  const { kept } = await Spool.open(bundle.home);
  expect(kept).toMatchObject([{ uploadUrl: "/fresh/{n}", final: { attemptId: bundle.attemptId } }]);
});

test("a result that is forgotten while its fresh URL is written leaves nothing on the disk", async () => {
  await using bundle = await setup();
  const uploading = bundle.upload("/fresh/{n}");
  bundle.results.forget(bundle.attemptId);
  expect(await uploading).toBeNull();
  await bundle.results.removed();
  expect(readdirSync(bundle.home)).toEqual([]);
});
