import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { deflateRawSync, gzipSync } from "node:zlib";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import express, { type Request } from "express";
import { BodyBudget } from "../../src/http/body-budget.ts";
import { cutStalled } from "../../src/http/cut-stalled.ts";
import { oneAtATime } from "../../src/http/one-at-a-time.ts";
import { readBody } from "../../src/http/request-body.ts";
import { EventStream } from "../../src/http/v2/event-stream.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { RealServer } from "../support/real-server.ts";

const HEAD = "HTTP/1.1\r\nHost: x\r\n";

/** A bare server, and connections to it. */
class Bare implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  static async serve(listener: RequestListener): Promise<Bare> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Bare(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  /** How many connections are open at the server. */
  openCount(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  connect(): Socket {
    const socket = connect((this.#server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
    this.#sockets.push(socket);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

test("requests that come before the last answer are carried out one by one, in order", async () => {
  let atOnce = 0;
  let most = 0;
  await using server = await Bare.serve(
    oneAtATime((request, response) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      setImmediate(() => {
        atOnce -= 1;
        response.end(`${request.url};`);
      });
    }),
  );
  const socket = server.connect();
  const urls = Array.from({ length: 20 }, (_, n) => `/${n}`);
  socket.write(urls.map((url) => `GET ${url} ${HEAD}${url === "/19" ? "Connection: close\r\n" : ""}\r\n`).join(""));
  const answer = await text(socket);
  expect(answer.match(/\/\d+;/g)).toEqual(urls.map((url) => `${url};`));
  expect(most).toBe(1);
});

test("a connection with more than 32 of them is cut, and none of those is carried out", async () => {
  let carriedOut = 0;
  await using server = await Bare.serve(
    oneAtATime(() => {
      carriedOut += 1;
    }),
  );
  const socket = server.connect();
  socket.write(`GET / ${HEAD}\r\n`.repeat(2_000));
  await once(socket, "close");
  expect(carriedOut).toBe(1);
});

test("event streams that stand behind one another leave nothing when their connection goes", async () => {
  await using server = await TestHttpServer.start();
  const socket = connect(server.port, "127.0.0.1").on("error", () => {});
  socket.write(`GET /v2/events ${HEAD}Authorization: Bearer ann\r\n\r\n`.repeat(20));
  await until("the first stream", () => server.tasks.listenerCount === 1);
  socket.destroy();
  await until("nothing is left", () => server.tasks.listenerCount === 0);
});

test("a stream for a caller who has left before it began ends at once", async () => {
  let ended = false;
  const life = { stopping: new AbortController().signal, keepAliveMs: 1_000_000, isWelcome: async () => true };
  const app = express().use(async (_request, response) => {
    await once(response, "close");
    new EventStream(response, life, { onReady: () => {}, onEnd: () => (ended = true) });
  });
  await using server = await Bare.serve(app);
  const socket = server.connect();
  socket.write(`GET / ${HEAD}\r\n`, () => setTimeout(() => socket.destroy(), 50));
  await until("its end", () => ended);
});

test("the head of a stream is complete, and the next request on its connection is answered", async () => {
  await using server = await TestHttpServer.start();
  const socket = connect(server.port, "127.0.0.1");
  const hello = `GET /v1/client/hello/ ${HEAD}Connection: close\r\n\r\n`;
  socket.write(`HEAD /v2/events ${HEAD}Authorization: Bearer ann\r\n\r\n${hello}`);
  expect((await text(socket)).match(/^HTTP\/1.1 \d+/gm)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
  await until("nothing is left", () => server.tasks.listenerCount === 0);
});

/** Inflates to spaces, and then goes on for many stored blocks of nothing, so that it has come whole long before it is read. */
function slowToInflate(): Buffer {
  const spaces = deflateRawSync(Buffer.alloc(900_000, " "), { finishFlush: 2 });
  const nothing = Buffer.concat(Array.from({ length: 16_000 }, () => Buffer.from([0, 0, 0, 0xff, 0xff])));
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), spaces, nothing]);
}

test("a compressed body whose caller leaves is let go of", async () => {
  const budget = new BodyBudget(1_000_000);
  const ends: Promise<unknown>[] = [];
  await using server = await Bare.serve((request) => {
    ends.push(readBody(request as Request, budget).catch((refusal) => refusal.message));
  });
  const body = slowToInflate();
  for (let n = 0; n < 10; n += 1) {
    const socket = server.connect();
    socket.write(`POST / ${HEAD}Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body, () => setTimeout(() => socket.resetAndDestroy(), n));
  }
  await until("all have come", () => ends.length === 10);
  expect(new Set(await Promise.all(ends))).toEqual(new Set(["the body was cut off"]));
});

test("a body of which nobody began to read before its caller left is refused", async () => {
  let refused: string | null = null;
  await using server = await Bare.serve(async (request) => {
    await new Promise((resolve) => request.on("error", () => {}).once("close", resolve));
    await readBody(request as Request, new BodyBudget(1_000)).catch((refusal: Error) => (refused = refusal.message));
  });
  const socket = server.connect();
  socket.write(`POST / ${HEAD}Content-Length: 10\r\n\r\n`, () => setTimeout(() => socket.destroy(), 50));
  expect(await until("its refusal", () => refused)).toBe("the body was cut off");
});

test("a body that inflates to over 64 times of what was sent is refused, beyond a megabyte", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 20_000_000 } });
  const post = async (body: Buffer): Promise<string> => {
    const socket = connect(server.port, "127.0.0.1");
    const fields = `Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\nConnection: close\r\n`;
    socket.write(`POST /v1/tasks/ ${HEAD}${fields}\r\n`);
    socket.write(body);
    return (await text(socket)).split(" ", 2)[1] ?? "";
  };
  const task = (padding: string) => JSON.stringify({ token: "ann", standardPipeline: { prompt: "a fox" }, padding });
  expect(await post(gzipSync(task("a".repeat(1_000_000))))).toBe("201");
  expect(await post(gzipSync(task("a".repeat(10_000_000))))).toBe("413");
  // What a large graph shrinks to is a twentieth.
  const graph = Array.from({ length: 100_000 }, (_, n) => `{"class_type":"KSampler","id":${(n * n) % 7_919}}`).join();
  expect(await post(gzipSync(task(graph)))).toBe("201");
});

test("a caller that takes nothing of its answer is cut off, and one that takes it is not", async () => {
  const bytes = 30_000_000;
  await using server = await Bare.serve(cutStalled((_request, response) => response.end(Buffer.alloc(bytes)), 1_000));
  const take = async (socket: Socket): Promise<number> => {
    let taken = 0;
    socket.on("data", (chunk) => {
      taken += chunk.length;
    });
    await once(socket.resume(), "close");
    return taken;
  };
  const unread = server.connect().pause();
  unread.write(`GET / ${HEAD}\r\n`);
  const reader = server.connect();
  reader.write(`GET / ${HEAD}Connection: close\r\n\r\n`);
  expect(await take(reader)).toBeGreaterThan(bytes);
  await until("the other is cut off", async () => (await server.openCount()) === 0);
  expect(await take(unread)).toBeLessThan(bytes);
});

test("a server that stops answers what has come, and what it stored without an answer is nothing", async () => {
  await using server = await RealServer.start();
  let acknowledged = 0;
  let cut = 0;
  let stopped = false;
  const body = JSON.stringify({ token: "ann", standardPipeline: { prompt: "a fox" } });
  const post = `POST /v1/tasks/ ${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
  const callers = Array.from({ length: 20 }, async () => {
    const socket = connect(server.port, "127.0.0.1").on("error", () => {});
    socket.setEncoding("utf8");
    const closed = once(socket, "close").then(() => null);
    for (;;) {
      socket.write(post);
      const got = await Promise.race([once(socket, "data"), closed]);
      if (got === null) cut += 1;
      else if (/^HTTP\/1.1 201/.test(String(got[0]))) acknowledged += 1;
      if (got === null || /connection: close/i.test(String(got[0])) || stopped) return socket.destroy();
    }
  });
  await until("some are acknowledged", () => acknowledged > 100);
  await server.restart();
  stopped = true;
  await Promise.all(callers);
  expect(cut).toBe(0);
  const store = new Database(join(server.home, "tasks.db"), { readonly: true });
  expect(store.prepare("SELECT count(*) FROM tasks").pluck().get()).toBe(acknowledged);
  store.close();
});
