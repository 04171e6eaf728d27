import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
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

/** Everything that must not be reached from here, in the ways that people write it. */
const FORBIDDEN = [
  ...[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "a.localhost",
  ],
  ...[
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.1",
    "192.168.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.0.1",
  ],
  ...[
    "100.64.0.1",
    "100.127.255.254",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.0.2.1",
    "192.0.0.1",
    "224.0.0.1",
    "239.1.1.1",
  ],
  ...["240.0.0.1", "255.255.255.255", "3232235777", "0xc0a80101", "0300.0250.1.1", "2852039166", "0xa9fea9fe"],
  ...[
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::7f00:1]",
  ],
  ...[
    "[64:ff9b::8.8.8.8]",
    "[2002:7f00:1::]",
    "[2002:a00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[2001:db8::1]",
  ],
  ...["[2001::1]", "[::127.0.0.1]", "[100::1]", "metadata", "intranet"],
].map((host) => `http://${host}/`);

const FORBIDDEN_FORMS = [
  "file:///etc/passwd",
  "gopher://example.com/",
  "ftp://example.com/x",
  "data:text/plain,hello",
  "javascript:alert(1)",
  "http://user:password@example.com/",
  "http://example.com@127.0.0.1/",
  "http://example.com:25/",
  "http://example.com:6379/",
  "http://93.184.216.34:25/",
  "http://[2606:2800:220:1::1]:22/",
  "//example.com/",
  "http://",
  "",
];

test(`check 34: ${FORBIDDEN.length + FORBIDDEN_FORMS.length} URLs that lead inside, or are no web address, are refused before anything is asked`, async () => {
  await using bundle = await setup((_request, response) => response.end("inside"));
  const { egress } = bundle;
  for (const url of [...FORBIDDEN, ...FORBIDDEN_FORMS]) {
    expect({ url, objection: egress.objection(url) }).toEqual({ url, objection: expect.any(String) });
    await expect(egress.fetch(url, BOUNDS)).rejects.toThrow(EgressRefused);
  }
  expect(FORBIDDEN.length + FORBIDDEN_FORMS.length).toBeGreaterThanOrEqual(60);
  expect(bundle.requests()).toBe(0);
  console.info(
    `check 34: ${FORBIDDEN.length + FORBIDDEN_FORMS.length} URLs refused, ${bundle.requests()} requests made`,
  );
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
