import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { TcpProxy } from "../../src/conformance.ts";

/** A server that echoes, a proxy before it, and a client through the proxy. */
async function setup() {
  const echoes: Socket[] = [];
  const server = createServer((socket) => {
    echoes.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await TcpProxy.to((server.address() as AddressInfo).port);
  const clients: Socket[] = [];
  const dial = async () => {
    const client = connect(proxy.port, "127.0.0.1");
    clients.push(client);
    client.on("error", () => {});
    await once(client, "connect");
    return client;
  };
  return {
    proxy,
    dial,
    /** Sends a text and measures how long its echo takes. */
    echo: async (client: Socket, text: string): Promise<number> => {
      const startMs = performance.now();
      let heard = "";
      client.write(text);
      while (heard.length < text.length) {
        const [chunk] = (await once(client, "data")) as [Buffer];
        heard += chunk.toString();
      }
      expect(heard).toBe(text);
      return performance.now() - startMs;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      for (const echo of echoes) echo.destroy();
      await proxy[Symbol.asyncDispose]();
      server.close();
    },
  };
}

test("without a fault bytes pass both ways, megabytes too", async () => {
  await using link = await setup();
  const client = await link.dial();
  await link.echo(client, "x".repeat(3_000_000));
  expect(link.proxy.linkCount).toBe(1);
});

test("a delay holds in each direction", async () => {
  await using link = await setup();
  const client = await link.dial();
  link.proxy.setFault({ type: "delay", delayMs: 60 });
  expect(await link.echo(client, "hello")).toBeGreaterThanOrEqual(118);
  link.proxy.setFault({ type: "none" }, "down");
  expect(await link.echo(client, "hello")).toBeGreaterThanOrEqual(58);
});

test("a black hole swallows bytes and the end, and lets them out when it heals", async () => {
  await using link = await setup();
  const client = await link.dial();
  link.proxy.setFault({ type: "blackHole" });
  let heard = "";
  client.on("data", (chunk) => {
    heard += String(chunk);
  });
  client.end("lost?");
  const other = await link.dial();
  other.write("too");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toBe("");
  link.proxy.heal();
  await once(client, "end");
  expect(heard).toBe("lost?");
});

test("a trickle passes single bytes at its pace", async () => {
  await using link = await setup();
  const client = await link.dial();
  link.proxy.setFault({ type: "trickle", bytesPerSecond: 100 }, "up");
  expect(await link.echo(client, "0123456789")).toBeGreaterThanOrEqual(85);
});

test("a cut ends both sides in order, a reset breaks them", async () => {
  await using link = await setup();
  const first = await link.dial();
  await link.echo(first, "a");
  const ended = once(first, "end");
  link.proxy.cut();
  await ended;
  const second = await link.dial();
  await link.echo(second, "b");
  const broken = once(second, "error") as Promise<[NodeJS.ErrnoException]>;
  link.proxy.reset();
  const [error] = await broken;
  expect(error.code).toBe("ECONNRESET");
  expect(link.proxy.linkCount).toBe(0);
});

test("a proxy that refuses resets new connections, and a healed one takes them", async () => {
  await using link = await setup();
  link.proxy.refuse();
  const refused = connect(link.proxy.port, "127.0.0.1");
  const [error] = (await once(refused, "error").catch((error: unknown) => [error])) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  link.proxy.heal();
  await link.echo(await link.dial(), "again");
});
