import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { V2Task } from "@genai/protocol";

export const picture = Buffer.from("89504e470d0a1a0a-a-picture");
const taskId = "0199a0b0-0000-7000-8000-000000000000";

export interface ServerStandIn extends AsyncDisposable {
  readonly url: string;
  readonly bodies: unknown[];
  readonly headers: IncomingMessage["headers"][];
  /** `Last-Event-ID` of each stream that was opened. */
  readonly resumed: (string | undefined)[];
}

export interface StandInOptions {
  readonly ends?: "succeeded" | "failed";
  /** Streams that break off after their first event. */
  readonly breaks?: number;
  readonly damaged?: boolean;
  readonly token?: string;
  /** The task never ends. */
  readonly stuck?: boolean;
}

/** Enough of `/v2` for one task: created, followed, its pictures fetched. */
export async function startServerStandIn(options: StandInOptions = {}): Promise<ServerStandIn> {
  const bodies: unknown[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const resumed: (string | undefined)[] = [];
  const artifact = {
    index: 0,
    url: "/artifacts/a?signature=s",
    sha256: createHash("sha256")
      .update(options.damaged ? "other" : picture)
      .digest("hex"),
    bytes: picture.byteLength,
    mime: "image/png",
    width: 512,
    height: 512,
    seed: 7,
  };
  const task = (state: V2Task["state"]): V2Task => ({
    id: taskId as V2Task["id"],
    state,
    api: "v2",
    pipelineType: "standard",
    priority: 0,
    maxCost: 15,
    timeToMoneyRatio: 1,
    createdAt: "2026-01-31T12:00:00.000Z",
    startedAt: null,
    settledAt: null,
    deadlineAt: null,
    maxAttempts: 5,
    models: [],
    metadata: null,
    eventNumber: 1,
    result: state === "succeeded" ? { artifacts: [artifact, { ...artifact, index: 1 }].slice(0, wanted()) } : null,
    error: state === "failed" ? { code: "task_failed", message: "the graph has no output" } : null,
    progress: 0,
    position: null,
    expectedMs: null,
    blocked: null,
    attempts: [],
  });
  const wanted = () => (bodies[0] as { pipeline: { count?: number } } | undefined)?.pipeline.count ?? 1;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    headers.push(request.headers);
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (options.token && request.headers.authorization !== `Bearer ${options.token}`) {
      const problem = {
        type: "/p",
        title: "No token",
        status: 401,
        code: "unauthenticated",
        detail: "A token is missing.",
        requestId: "r",
      };
      return void json(401, problem);
    }
    switch (`${request.method} ${request.url?.split("?")[0]}`) {
      case "POST /v2/tasks": {
        const pieces: Buffer[] = [];
        for await (const piece of request) pieces.push(piece);
        bodies.push(JSON.parse(Buffer.concat(pieces).toString("utf8")));
        return void json(201, task("queued"));
      }
      case `GET /v2/tasks/${taskId}/events`:
        return events(request, response);
      case `GET /v2/tasks/${taskId}`:
        return void json(200, task(options.ends ?? "succeeded"));
      case "GET /artifacts/a":
        return void response.writeHead(200, { "content-type": "image/png" }).end(picture);
      default:
        return void json(404, {});
    }
  };

  function events(request: IncomingMessage, response: ServerResponse): void {
    const from = request.headers["last-event-id"];
    resumed.push(typeof from === "string" ? from : undefined);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const state = (number: number, name: string, more = {}) =>
      response.write(
        `event: state\nid: ${number}\ndata: ${JSON.stringify({ taskId, number, at: "2026-01-31T12:00:00.000Z", state: name, ...more })}\n\n`,
      );
    if (from === undefined) state(1, "queued");
    if (options.stuck) return;
    if (resumed.length <= (options.breaks ?? 0)) return void setImmediate(() => response.destroy());
    state(2, "running", { nodeId: "node-a" });
    for (const value of [0.25, 0.5]) {
      response.write(`event: progress\ndata: ${JSON.stringify({ taskId, attempt: 1, value, stage: "sampling" })}\n\n`);
    }
    response.write(": a comment\n\nevent: something-new\ndata: {}\n\nevent: progress\ndata: no json\n\n");
    state(3, options.ends ?? "succeeded");
    response.end();
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    headers,
    resumed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
