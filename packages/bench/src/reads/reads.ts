import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { V2Upload } from "@genai/protocol";
import type { BenchOptions } from "../bench-options.ts";
import { BenchFolder } from "../support/bench-folder.ts";
import { Callers, expectStatus } from "../support/callers.ts";
import type { Child } from "../support/child.ts";
import { fillStore } from "../support/fill-store.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { connectLegacyNodes } from "../support/legacy-nodes.ts";
import { noisePicture } from "../support/noise-picture.ts";
import { startOurServer } from "../support/our-server.ts";
import { percentile } from "../support/percentile.ts";
import { usageOf } from "../support/process-usage.ts";
import { machineOf, report, rounded } from "../support/report.ts";
import { type ReadRoute, type ReadSubjects, readRoutes } from "./read-routes.ts";

/** Callers that read at the same time. */
const IN_FLIGHT = 4;
const USERS = 10;

/** How long each route that reads takes where a million tasks are stored, ended and of few users. */
export async function reads({ tasks = 1_000_000, json }: BenchOptions): Promise<void> {
  await using folder = await BenchFolder.make();
  const machine = machineOf(folder.path);
  const tokens = Array.from({ length: USERS }, (_, n) => `reader-${n}`);
  const filledAtMs = performance.now();
  const taskIds = await fillStore(folder.path, { tasks, userIds: tokens.map(userOf), state: "succeeded" });
  const fillSeconds = (performance.now() - filledAtMs) / 1_000;
  const server = await startOurServer({ home: folder.path, databaseUrl: null });
  const disconnect = await connectLegacyNodes(server.port, 10, 300);
  try {
    const rows = [];
    const admin = readFileSync(join(folder.path, "admin.key"), "utf8").trim();
    const subjects = await subjectsOf(server, taskIds, tokens[0] ?? "");
    const { routes, leftOut } = readRoutes();
    for (const route of routes) {
      const token = route.admin ? admin : (tokens[0] ?? "");
      const { latencies, seconds } = await measureRoute(server, route, subjects, token, tasks);
      rows.push({
        route: route.name,
        "p50 ms": rounded(percentile(latencies, 0.5)),
        "p99 ms": rounded(percentile(latencies, 0.99)),
        "a second": rounded(latencies.length / seconds),
      });
    }
    report(
      machine,
      {
        bench: "reads",
        load: {
          tasks,
          "in flight": IN_FLIGHT,
          "filled in s": rounded(fillSeconds),
          "not measured": leftOut.join(", "),
        },
        rows,
        checks: [{ what: "peak memory", value: usageOf(server.pid).residentPeakMb, unit: "MB", bound: { most: 400 } }],
      },
      json,
    );
  } finally {
    disconnect();
    await server.end();
  }
}

/** Whom a token names where authentication is not enforced. */
function userOf(token: string): string {
  return `t_${createHash("sha256").update(token).digest("hex")}`;
}

/** The first user's tasks stand at every tenth place. */
async function subjectsOf(server: Child, taskIds: readonly string[], token: string): Promise<ReadSubjects> {
  const own = taskIds.filter((_, n) => n % USERS === 0);
  const connection = await HttpConnection.open(server.port);
  const headers = { authorization: `Bearer ${token}` };
  try {
    let cursor = "";
    for (let page = 0; page < 200; page++) {
      const path = `/v2/tasks?limit=10${cursor === "" ? "" : `&cursor=${cursor}`}`;
      const answer = expectStatus(await connection.ask("GET", path, "", headers), 200) as { next: string | null };
      if (answer.next === null) break;
      cursor = answer.next;
    }
    return {
      taskId: (n) => own[(n * 7_919) % own.length] ?? "",
      uploadId: await upload(server, token),
      deepCursor: cursor,
    };
  } finally {
    connection.close();
  }
}

async function upload(server: Child, token: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/v2/uploads`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "image/png" },
    body: new Uint8Array(noisePicture(10_000)),
  });
  if (answer.status !== 201) throw new Error(`An upload was answered with ${answer.status}: ${await answer.text()}`);
  return V2Upload.parse(await answer.json()).id;
}

async function measureRoute(
  server: Child,
  route: ReadRoute,
  subjects: ReadSubjects,
  token: string,
  tasks: number,
): Promise<{ readonly latencies: readonly number[]; readonly seconds: number }> {
  using callers = await Callers.open(server.port, IN_FLIGHT);
  const headers = { authorization: `Bearer ${token}` };
  const read = (count: number) =>
    callers.make(count, async (connection, n) => {
      const answer = await connection.ask("GET", route.path(n, subjects), "", headers);
      if (answer.status !== route.status)
        throw new Error(`${route.name}: ${answer.status} ${answer.body.slice(0, 500)}`);
    });
  // As many as take a second or so.
  await read(20);
  const trialAtMs = performance.now();
  await read(20);
  const eachMs = (performance.now() - trialAtMs) / 20;
  const count = Math.max(20, Math.min(2_000, Math.ceil(tasks / 10), Math.ceil(1_500 / eachMs)));
  const startedAtMs = performance.now();
  const latencies = await read(count);
  return { latencies, seconds: (performance.now() - startedAtMs) / 1_000 };
}
