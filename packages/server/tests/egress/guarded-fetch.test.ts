import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { FORBIDDEN_URLS } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { createAddressPolicy } from "../../src/egress/address-policy.ts";
import { createEgress, EgressRefused } from "../../src/egress/guarded-fetch.ts";

const BOUNDS = { timeoutMs: 5_000, bytesMax: 1_000 };

async function setup(
  listener: RequestListener,
  options: { readonly allowed?: readonly string[]; readonly names?: Readonly<Record<string, readonly string[]>> } = {},
) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    listener(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const egress = createEgress(createAddressPolicy(options.allowed ?? []), {
    resolver: (host, _how, done) => {
      const addresses = options.names?.[host];
      if (addresses === undefined) done(Object.assign(new Error("no such host"), { code: "ENOTFOUND" }), []);
      else
        done(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
        );
    },
  });
  return {
    egress,
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      await egress.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

test(`check 34: ${FORBIDDEN_URLS.length} URLs that lead inside, or are no web address, are refused before anything is asked`, async () => {
  await using bundle = await setup((_request, response) => response.end("inside"));
  const { egress } = bundle;
  for (const url of FORBIDDEN_URLS) {
    expect({ url, objection: egress.objection(url) }).toEqual({ url, objection: expect.any(String) });
    await expect(egress.fetch(url, BOUNDS)).rejects.toThrow(EgressRefused);
  }
  expect(FORBIDDEN_URLS.length).toBeGreaterThanOrEqual(60);
  expect(bundle.requests()).toBe(0);
  console.info(`check 34: ${FORBIDDEN_URLS.length} URLs refused, ${bundle.requests()} requests made`);
});

test.each([
  ["http://localhost/hook", "localhost is not on the public internet."],
  ["http://10.0.0.1/hook", "10.0.0.1 is not on the public internet."],
  ["http://example.com:9000/hook", "Port 9000 is not one that is asked from here."],
])("the objection to %s says who can allow it", async (url, why) => {
  await using bundle = await setup((_request, response) => response.end());
  expect(bundle.egress.objection(url)).toBe(`${why} An administrator can allow it with EGRESS_ALLOW.`);
});

test.each([
  ["a private address", ["10.0.0.7"]],
  ["a loopback address", ["127.0.0.1"]],
  ["a mixed answer", ["93.184.216.34", "127.0.0.1"]],
  ["an address that carries another", ["::ffff:127.0.0.1"]],
])("a name that resolves to %s is refused when it is connected", async (_what, addresses) => {
  await using bundle = await setup((_request, response) => response.end("inside"), {
    names: { "evil.example": addresses },
  });
  await expect(bundle.egress.fetch("http://evil.example/", BOUNDS)).rejects.toThrow("not on the public internet");
  expect(bundle.requests()).toBe(0);
});

test("check 34: a name is looked up once and connected to what it gave, so that rebinding gains nothing", async () => {
  let lookups = 0;
  await using bundle = await setup((_request, response) => response.end("inside"));
  const egress = createEgress(createAddressPolicy([]), {
    resolver: (_host, _how, done) => {
      lookups += 1;
      // TEST-NET at first would be refused; the second answer is the attack.
      done(null, [{ address: lookups === 1 ? "127.0.0.1" : "93.184.216.34", family: 4 }]);
    },
  });
  await expect(egress.fetch(`http://rebinding.example:8080/`, BOUNDS)).rejects.toThrow(EgressRefused);
  expect(lookups).toBe(1);
  expect(bundle.requests()).toBe(0);
  await egress.close();
});

test("check 34: what the operator allows is reached: a name, an address, a range", async () => {
  for (const [allowed, host] of [
    ["hooks.internal", "hooks.internal"],
    ["127.0.0.1", "127.0.0.1"],
    ["127.0.0.0/8", "127.0.0.1"],
  ] as const) {
    await using bundle = await setup((_request, response) => response.end("hello"), {
      allowed: [allowed],
      names: { "hooks.internal": ["127.0.0.1"] },
    });
    const answer = await bundle.egress.fetch(`http://${host}:${bundle.port}/`, BOUNDS);
    expect(answer.body.toString()).toBe("hello");
  }
});

test("check 34: a redirect is an answer and is not followed", async () => {
  await using bundle = await setup(
    (_request, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
    { allowed: ["127.0.0.1"] },
  );
  const answer = await bundle.egress.fetch(`http://127.0.0.1:${bundle.port}/`, BOUNDS);
  expect(answer.status).toBe(302);
  expect(bundle.requests()).toBe(1);
});

test("check 34: an answer beyond its bound and one that never comes are given up", async () => {
  await using bundle = await setup(
    (request, response) => {
      if (request.url === "/long") response.end(Buffer.alloc(5_000));
    },
    { allowed: ["127.0.0.1"] },
  );
  const base = `http://127.0.0.1:${bundle.port}`;
  await expect(bundle.egress.fetch(`${base}/long`, BOUNDS)).rejects.toThrow("longer than 1000 bytes");
  await expect(bundle.egress.fetch(`${base}/never`, { ...BOUNDS, timeoutMs: 200 })).rejects.toThrow();
});
