import { expect, test } from "@jest/globals";
import { createAuthenticator } from "../../src/identity/authenticator.ts";
import type { Caller } from "../../src/identity/caller.ts";
import type { JwtVerdict } from "../../src/identity/jwt-verifier.ts";
import { VerifiedTokens } from "../../src/identity/verified-tokens.ts";

const ANN: Caller = { userId: "ann", role: "user", anonymous: false };

function clocks() {
  const at = { nowMs: 0, wallMs: 1_000_000 };
  return { at, tokens: new VerifiedTokens({ nowMs: () => at.nowMs, wallMs: () => at.wallMs }) };
}

test("a token counts for a minute, and then has to be verified", () => {
  const { at, tokens } = clocks();
  expect(tokens.callerOf("hash")).toBeNull();
  tokens.verified("hash", ANN, Number.POSITIVE_INFINITY);
  at.nowMs = 59_999;
  expect(tokens.callerOf("hash")).toEqual(ANN);
  at.nowMs = 60_000;
  expect(tokens.callerOf("hash")).toBeNull();
});

test("a token counts no longer than it says itself, wherever the wall clock jumps", () => {
  const { at, tokens } = clocks();
  tokens.verified("hash", ANN, 1_010_000);
  at.wallMs = 1_009_999;
  expect(tokens.callerOf("hash")).toEqual(ANN);
  at.wallMs = 1_010_000;
  expect(tokens.callerOf("hash")).toBeNull();
  at.wallMs = 0;
  expect(tokens.callerOf("hash")).toBeNull();
});

test("ten thousand tokens are remembered, the last that were verified", () => {
  const { tokens } = clocks();
  for (let n = 0; n <= 10_000; n++) tokens.verified(`hash-${n}`, ANN, Number.POSITIVE_INFINITY);
  expect(tokens.callerOf("hash-0")).toBeNull();
  expect(tokens.callerOf("hash-1")).toEqual(ANN);
  expect(tokens.callerOf("hash-10000")).toEqual(ANN);
});

test("what was refused, or could not be verified, is looked at again; what was accepted is not", async () => {
  const verdicts: JwtVerdict[] = [
    { type: "refused", message: "no" },
    { type: "unavailable", message: "later", retryAfterMs: 1_000 },
    { type: "caller", caller: ANN, expiresAtMs: Number.POSITIVE_INFINITY },
    { type: "refused", message: "asked once too often" },
  ];
  const authenticate = createAuthenticator({
    enforced: true,
    apiKeys: { lookup: async () => null },
    verifyJwt: async () => verdicts.shift() as JwtVerdict,
  });
  expect(await authenticate("token")).toMatchObject({ type: "refused" });
  expect(await authenticate("token")).toMatchObject({ type: "unavailable" });
  expect(await authenticate("token")).toEqual({ type: "caller", caller: ANN });
  expect(await authenticate("token")).toEqual({ type: "caller", caller: ANN });
  expect(await authenticate("another")).toMatchObject({ type: "refused" });
});
