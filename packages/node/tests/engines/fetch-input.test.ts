import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { FORBIDDEN_URLS } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { createInputFetcher } from "../../src/engines/fetch-input.ts";

async function serve(listener: RequestListener) {
  const http = createServer(listener).listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/picture.png`,
    byName: `http://localhost:${port}/picture.png`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
}

const signal = () => AbortSignal.timeout(10_000);
const guarded = createInputFetcher({ allowPrivate: false });
const open = createInputFetcher({ allowPrivate: true });

test(`check 34: ${FORBIDDEN_URLS.length} URLs that lead inside, or are no web address, are refused before anything is asked`, async () => {
  let lookups = 0;
  const fetcher = createInputFetcher({
    allowPrivate: false,
    resolver: (_host, _how, done) => {
      lookups += 1;
      done(new Error("nobody is to be looked up"), []);
    },
  });
  const sentences =
    /not on the public internet|only http and https|can't be read|a user name or a password|not one that is asked from here/;
  for (const url of FORBIDDEN_URLS) {
    const said = await fetcher(url, signal()).then(
      () => "it was fetched",
      (error: Error) => error.message,
    );
    expect({ url, said }).toEqual({ url, said: expect.stringMatching(sentences) });
  }
  console.info(`check 34: ${FORBIDDEN_URLS.length} URLs refused by a node, ${lookups} looked up`);
  expect(FORBIDDEN_URLS.length).toBeGreaterThanOrEqual(60);
  expect(lookups).toBe(0);
});

test.each([
  ["a private address", ["10.0.0.7"]],
  ["a mixed answer", ["93.184.216.34", "127.0.0.1"]],
  ["an address that carries another", ["::ffff:127.0.0.1"]],
])("check 34: a name that resolves to %s is refused when it is connected", async (_what, addresses) => {
  const fetcher = createInputFetcher({
    allowPrivate: false,
    resolver: (_host, _how, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      ),
  });
  await expect(fetcher("http://evil.example/", signal())).rejects.toThrow("not on the public internet");
});

test("a name that resolves to this machine is not fetched, and nothing reaches it", async () => {
  let requests = 0;
  await using server = await serve((_request, response) => {
    requests += 1;
    response.end("secret");
  });
  await expect(guarded(server.byName, signal())).rejects.toThrow(/not on the public internet/);
  await expect(guarded(server.url, signal())).rejects.toThrow(/not on the public internet/);
  expect(requests).toBe(0);
});

test.each(["file:///etc/passwd", "ftp://example.org/x.png", "data:image/png;base64,AAAA", "no URL"])(
  "%s is refused",
  async (url) => {
    await expect(guarded(url, signal())).rejects.toThrow(/only http and https|can't be read/);
  },
);

test("with leave for private addresses the bytes come as they are", async () => {
  await using server = await serve((_request, response) => response.end(Buffer.from([1, 2, 3])));
  expect(await open(server.url, signal())).toEqual(Buffer.from([1, 2, 3]));
});

test("a redirect is not followed, and an error's status is told", async () => {
  await using moved = await serve((_request, response) =>
    response.writeHead(302, { location: "http://10.0.0.1/" }).end(),
  );
  await expect(open(moved.url, signal())).rejects.toThrow(/answered 302/);
  await using gone = await serve((_request, response) => response.writeHead(404).end());
  await expect(open(gone.url, signal())).rejects.toThrow(/answered 404/);
});

test("an endless body is cut off", async () => {
  await using server = await serve((_request, response) => {
    const piece = Buffer.alloc(1024 * 1024);
    const more = (): void => {
      while (response.write(piece));
      response.once("drain", more);
    };
    more();
  });
  await expect(open(server.url, signal())).rejects.toThrow(/larger than 67108864 bytes/);
});
