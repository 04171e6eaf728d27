import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { createJwks } from "../../src/identity/jwks.ts";
import { createJwtVerifier, type JwtVerifierOptions } from "../../src/identity/jwt-verifier.ts";

const SECRET = "a secret of more than thirty-two bytes";
const SECRET_BYTES = new TextEncoder().encode(SECRET);

function verifier(options: Partial<JwtVerifierOptions> = {}) {
  return createJwtVerifier({
    secrets: [SECRET],
    jwks: null,
    requireExp: false,
    audience: null,
    issuer: null,
    ...options,
  });
}

/** An issuer on loopback: counts how often its keys are fetched, and can be away. */
async function issuer() {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "RS256" };
  const state = { fetches: 0, away: false };
  const server = createServer((_request, response) => {
    state.fetches += 1;
    response.statusCode = state.away ? 500 : 200;
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    state,
    privateKey,
    publicKey,
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function rs256(key: CryptoKey, kid = "k1"): Promise<string> {
  return await new SignJWT({}).setProtectedHeader({ alg: "RS256", kid }).setSubject("ann").sign(key);
}

test("check 31: a missing exp, a wrong audience and a wrong issuer are refused where they are configured", async () => {
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("ann")
    .setAudience("a")
    .setIssuer("i")
    .sign(SECRET_BYTES);
  expect((await verifier()(token)).type).toBe("caller");
  expect((await verifier({ audience: ["a", "c"], issuer: "i" })(token)).type).toBe("caller");
  expect(await verifier({ requireExp: true })(token)).toEqual({ type: "refused", message: "the token has no exp" });
  expect((await verifier({ audience: ["b"] })(token)).type).toBe("refused");
  expect((await verifier({ issuer: "j" })(token)).type).toBe("refused");
});

test("check 31: an issuer's RS256 token is accepted by its public key, beside HS256 under the secret", async () => {
  await using keys = await issuer();
  const verify = verifier({ jwks: createJwks(keys.url) });
  expect(await verify(await rs256(keys.privateKey))).toMatchObject({ type: "caller", caller: { userId: "ann" } });
  const own = await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setSubject("bob").sign(SECRET_BYTES);
  expect(await verify(own)).toMatchObject({ type: "caller", caller: { userId: "bob" } });
});

test("check 31: an HS256 token signed with the issuer's public PEM is refused, with and without a secret of our own", async () => {
  await using keys = await issuer();
  const pem = new TextEncoder().encode(await exportSPKI(keys.publicKey));
  const forged = await new SignJWT({}).setProtectedHeader({ alg: "HS256", kid: "k1" }).setSubject("ann").sign(pem);
  const jwks = createJwks(keys.url);
  expect((await verifier({ jwks })(forged)).type).toBe("refused");
  expect((await verifier({ jwks, secrets: [] })(forged)).type).toBe("refused");
});

test.each(["none", "None", "NoNe", "RS512", "PS256"])(
  "check 31: a token whose algorithm says %s is refused",
  async (alg) => {
    await using keys = await issuer();
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = `${encode({ alg, kid: "k1" })}.${encode({ sub: "ann" })}.`;
    expect((await verifier({ jwks: createJwks(keys.url) })(token)).type).toBe("refused");
  },
);

test("check 31: a thousand unknown key ids cause one fetch in 30 s", async () => {
  await using keys = await issuer();
  let nowMs = 0;
  const verify = verifier({ jwks: createJwks(keys.url, () => nowMs) });
  const token = await rs256(keys.privateKey, "unknown");
  for (let count = 0; count < 1_000; count += 1) expect((await verify(token)).type).toBe("refused");
  expect(keys.state.fetches).toBe(1);
  nowMs = 30_001;
  await Promise.all(Array.from({ length: 100 }, () => verify(token)));
  expect(keys.state.fetches).toBe(2);
});

test("check 31: an issuer that is away is no fault of the caller, and keys that are known stay in use", async () => {
  await using keys = await issuer();
  let nowMs = 0;
  const token = await rs256(keys.privateKey);
  const verify = verifier({ jwks: createJwks(keys.url, () => nowMs) });
  keys.state.away = true;
  expect(await verify(token)).toMatchObject({ type: "unavailable", retryAfterMs: 30_000 });
  keys.state.away = false;
  nowMs = 30_001;
  expect((await verify(token)).type).toBe("caller");
  keys.state.away = true;
  nowMs = 3_600_000;
  expect((await verify(token)).type).toBe("caller");
});

test("check 31: while a secret is replaced, tokens under the old one are accepted too", async () => {
  const verify = verifier({ secrets: ["the new secret of more than thirty-two bytes", SECRET] });
  const old = await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setSubject("ann").sign(SECRET_BYTES);
  expect((await verify(old)).type).toBe("caller");
  expect((await verify(`${old.slice(0, -2)}xx`)).type).toBe("refused");
});

test("check 31: clocks may be a minute apart and no more, at a token's end and at its start", async () => {
  const nowS = Math.floor(Date.now() / 1_000);
  const token = (claims: { exp?: number; nbf?: number }) =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setSubject("ann").sign(SECRET_BYTES);
  const verify = verifier();
  // Some seconds from the edge, so that a slow machine changes nothing.
  expect((await verify(await token({ exp: nowS - 30 }))).type).toBe("caller");
  expect(await verify(await token({ exp: nowS - 61 }))).toEqual({ type: "refused", message: "the token has expired" });
  expect((await verify(await token({ nbf: nowS + 55 }))).type).toBe("caller");
  expect(await verify(await token({ nbf: nowS + 120 }))).toEqual({
    type: "refused",
    message: "the token is not valid yet",
  });
});

test.each([
  ["a NUL, which PostgreSQL can't store", "ann\u0000"],
  ["a line break, which forges lines of reports", "ann\nbob"],
  ["an escape, which a terminal obeys", "\u001b[2Jann"],
])("a user id with %s is refused", async (_what, subject) => {
  const token = await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setSubject(subject).sign(SECRET_BYTES);
  expect((await verifier()(token)).type).toBe("refused");
});
