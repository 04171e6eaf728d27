import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { addressKey } from "../../src/http/address-key.ts";
import { RateLimiter } from "../../src/http/rate-limiter.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const TASK = { pipeline: { type: "standard", prompt: "a" } };

test("check 36: over its limit a user gets 429 and Retry-After, on v2 with what is left; reads have a limit of their own", async () => {
  await using server = await TestHttpServer.start({ settings: { creationsPerMinute: 2, readsPerMinute: 100 } });
  const create = (token: string) => postJson(`${server.url}/v2/tasks`, TASK, { token });
  const first = await create("ann");
  expect([first.status, first.headers["ratelimit-policy"], first.headers.ratelimit]).toEqual([
    201,
    '"creation";q=2;w=60',
    expect.stringMatching(/^"creation";r=1;t=30$/),
  ]);
  expect((await create("ann")).headers.ratelimit).toMatch(/r=0/);
  const refused = await create("ann");
  expect([refused.status, refused.json().code]).toEqual([429, "rate_limited"]);
  const retryAfterS = Number(refused.headers["retry-after"]);
  expect(retryAfterS).toBeGreaterThan(0);
  expect(retryAfterS).toBeLessThanOrEqual(30);
  expect((await rawHttp("GET", `${server.url}/v2/tasks`, { headers: { token: "ann" } })).status).toBe(200);
  expect((await create("bob")).status).toBe(201);
  const v1 = await postJson(`${server.url}/v1/tasks/`, { standardPipeline: { prompt: "a" } }, { token: "cy" });
  expect([v1.status, v1.headers.ratelimit]).toEqual([201, undefined]);
});

test("check 36: a forged X-Forwarded-For changes nothing unless the peer is a configured proxy", async () => {
  const settings = { creationsPerMinuteAndAddress: 3 };
  const creations = async (server: TestHttpServer, addressOf: (n: number) => string): Promise<number[]> => {
    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      const headers = { token: `user-${n}`, "x-forwarded-for": addressOf(n) };
      statuses.push((await postJson(`${server.url}/v2/tasks`, TASK, headers)).status);
    }
    return statuses;
  };
  const own = "203.0.113.9";
  // Another machine's proxy is trusted, this peer is not: what it says of itself is nothing, and it stays this machine, which has no limit.
  await using direct = await TestHttpServer.start({ settings: { ...settings, trustedProxies: ["192.0.2.1"] } });
  expect(await creations(direct, () => own)).toEqual([201, 201, 201, 201, 201, 201]);
  await using proxied = await TestHttpServer.start({ settings: { ...settings, trustedProxies: ["127.0.0.1"] } });
  expect(await creations(proxied, () => own)).toEqual([201, 201, 201, 429, 429, 429]);
  // A client writes what it likes before its own address; the proxy appends that, and that counts.
  expect(await creations(proxied, (n) => `198.51.100.${n}, ${own}`)).toEqual([429, 429, 429, 429, 429, 429]);
  console.info("check 36: six creations under six forged addresses: all 429 behind the proxy that knows the real one");
});

test("tokens that are refused count against their address, so that nobody guesses fast", async () => {
  await using server = await TestHttpServer.start({
    enforced: true,
    settings: { creationsPerMinuteAndAddress: 3, trustedProxies: ["127.0.0.1"] },
  });
  const guess = async (n: number) =>
    (
      await rawHttp("GET", `${server.url}/v2/usage`, {
        headers: { token: `guess-${n}`, "x-forwarded-for": "203.0.113.9" },
      })
    ).status;
  expect([await guess(1), await guess(2), await guess(3), await guess(4)]).toEqual([401, 401, 401, 429]);
});

test("tokens that v1 refuses count against their address too, in a header and in a body, and its own callers do not", async () => {
  await using server = await TestHttpServer.start({
    enforced: true,
    settings: { creationsPerMinuteAndAddress: 3, trustedProxies: ["127.0.0.1"] },
  });
  const from = (address: string) => ({ "x-forwarded-for": address });
  const url = `${server.url}/v1/tasks/`;
  const guesses = [
    await rawHttp("GET", url, { headers: { token: "guess", ...from("203.0.113.9") } }),
    await postJson(url, { standardPipeline: { prompt: "a" } }, { token: "guess", ...from("203.0.113.9") }),
    await postJson(url, { standardPipeline: { prompt: "a" }, token: "guess" }, from("203.0.113.9")),
    await rawHttp("GET", url, { headers: { token: "guess", ...from("203.0.113.9") } }),
  ];
  expect(guesses.map(({ status }) => status)).toEqual([401, 401, 401, 429]);
  expect((await rawHttp("GET", url, { headers: { token: "guess", ...from("203.0.113.10") } })).status).toBe(401);
});

test("check 36: a million keys take less than 100 MB", () => {
  const limiter = new RateLimiter({ perMinute: 600 });
  const collect = collector();
  const bytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = bytes();
  for (let n = 0; n < 1_000_000; n += 1) limiter.take(`t_${n.toString(16).padStart(64, "0")}`);
  const grownMb = (bytes() - before) / 1e6;
  console.info(`check 36: a million keys grew the heap by ${grownMb.toFixed(1)} MB`);
  expect(grownMb).toBeLessThan(100);
  // It is still there to be measured.
  expect(limiter.state("t").remaining).toBe(600);
});

/** Node's own garbage collection, which is hidden without a flag. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("there is no gc");
  return () => void collect();
}

test("an address of IPv6 counts by its /64, a mapped one as the IPv4 address that it is", () => {
  expect(addressKey("2001:db8:1:2:3::1")).toBe(addressKey("2001:db8:1:2:ffff::9"));
  expect(addressKey("2001:db8:1:3::1")).not.toBe(addressKey("2001:db8:1:2::1"));
  expect(addressKey("::ffff:192.0.2.1")).toBe("192.0.2.1");
});
